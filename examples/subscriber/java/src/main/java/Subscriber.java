import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.FileOutputStream;
import java.io.FileDescriptor;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Follows the movements of customers: acts on each one once, and says when one is missing.
 *
 * <pre>java -jar target/subscriber.jar 127.0.0.1:9092 shop.segment-changes.v1 crm places.db</pre>
 *
 * `crm` is the consumer group. `places.db` remembers how far every customer has come; it is made if it is not there.
 */
public final class Subscriber {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final List<String> FIELDS =
            List.of("id", "customer_id", "incarnation", "sequence", "previous_segment", "segment", "cause");
    private static final String TABLE =
            "CREATE TABLE IF NOT EXISTS places (customer_id TEXT PRIMARY KEY, incarnation INTEGER NOT NULL, sequence INTEGER NOT NULL)";
    private static final String KNOWN = "SELECT incarnation, sequence FROM places WHERE customer_id = ?";
    private static final String REMEMBER =
            "INSERT INTO places VALUES (?, ?, ?) "
                    + "ON CONFLICT (customer_id) DO UPDATE SET incarnation = excluded.incarnation, sequence = excluded.sequence";
    // Ids are UTF-8, whatever the machine's locale is.
    private static final PrintStream OUT = utf8(FileDescriptor.out);
    private static final PrintStream ERR = utf8(FileDescriptor.err);

    private final Connection places;
    private final PreparedStatement known;
    private final PreparedStatement remember;
    private long acted;
    private long repeated;
    private long holes;

    private Subscriber(Connection places) throws SQLException {
        this.places = places;
        places.createStatement().execute(TABLE);
        places.setAutoCommit(false);
        known = places.prepareStatement(KNOWN);
        remember = places.prepareStatement(REMEMBER);
    }

    /** What you came for: a campaign, a ticket, a row. It may come again after a crash, with the same `id`. */
    private static void act(JsonNode movement) {
        OUT.printf("moved %s from %s to %s by %s%n", movement.get("id").textValue(),
                movement.get("previous_segment").asText("none"), movement.get("segment").asText("none"),
                movement.get("cause").textValue());
    }

    /** Acts on what is new in a batch, and remembers it before its offsets are committed. */
    private void take(Iterable<ConsumerRecord<byte[], byte[]>> records) throws SQLException {
        for (var record : records) {
            one(movementOf(record));
        }
        OUT.flush();
        places.commit(); // one transaction: if your actions go into the same database, they happen exactly once
    }

    private void one(JsonNode movement) throws SQLException {
        String customer = movement.get("customer_id").textValue();
        long incarnation = movement.get("incarnation").longValue();
        long sequence = movement.get("sequence").longValue();
        known.setString(1, customer);
        long knownIncarnation = 0;
        long knownSequence = 0;
        try (ResultSet found = known.executeQuery()) {
            if (found.next()) {
                knownIncarnation = found.getLong(1);
                knownSequence = found.getLong(2);
            }
        }
        // The id is customer, incarnation and sequence. So the greatest pair of a customer knows every id before it.
        boolean same = incarnation == knownIncarnation;
        if (incarnation < knownIncarnation || same && sequence <= knownSequence) {
            repeated++;
            return;
        }
        long expected = same ? knownSequence + 1 : 1;
        if (sequence > expected) {
            holes++;
            ERR.printf("hole %s incarnation %d: %d to %d did not come%n", customer, incarnation, expected, sequence - 1);
        }
        act(movement);
        remember.setString(1, customer);
        remember.setLong(2, incarnation);
        remember.setLong(3, sequence);
        remember.executeUpdate();
        acted++;
    }

    /** The value of a record. What is none stops the subscriber: it would be lost if it were passed over. */
    private static JsonNode movementOf(ConsumerRecord<byte[], byte[]> record) {
        String wrong = "fields are missing";
        try {
            JsonNode movement = record.value() == null ? null : JSON.readTree(record.value());
            if (movement != null && FIELDS.stream().allMatch(movement::has)) {
                return movement;
            }
        } catch (IOException error) {
            wrong = error.getMessage();
        }
        throw new IllegalArgumentException(
                "%s, partition %d, offset %d is no movement (%s): look whether the topic is the right one"
                        .formatted(record.topic(), record.partition(), record.offset(), wrong));
    }

    private void follow(KafkaConsumer<byte[], byte[]> consumer) throws SQLException {
        try {
            while (true) {
                ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMinutes(1));
                if (!records.isEmpty()) {
                    take(records);
                    commit(consumer);
                }
            }
        } catch (WakeupException ending) {
            // SIGTERM or Ctrl-C.
        }
        ERR.printf("%d acted on, %d repeated, %d holes%n", acted, repeated, holes);
    }

    /** Gives back what was read as done. Where a rebalance was quicker, it comes again and is known. */
    private static void commit(KafkaConsumer<byte[], byte[]> consumer) {
        try {
            consumer.commitSync();
        } catch (CommitFailedException | RebalanceInProgressException comesAgain) {
            // The next poll takes part in the rebalance.
        } catch (WakeupException ending) {
            consumer.commitSync(); // it came in between: first this
            throw ending;
        }
    }

    private static PrintStream utf8(FileDescriptor descriptor) {
        return new PrintStream(new FileOutputStream(descriptor), false, StandardCharsets.UTF_8);
    }

    public static void main(String[] words) {
        if (words.length != 4) {
            ERR.println("Subscriber BOOTSTRAP TOPIC GROUP PLACES");
            ERR.flush();
            System.exit(2);
        }
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", words[0],
                "group.id", words[2],
                "auto.offset.reset", "earliest", // a group that is new begins with what the topic still holds
                "enable.auto.commit", false, // not before it was acted on
                "key.deserializer", ByteArrayDeserializer.class,
                "value.deserializer", ByteArrayDeserializer.class);
        int code = 0;
        try (Connection places = DriverManager.getConnection("jdbc:sqlite:" + words[3]);
                KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings)) {
            Subscriber subscriber = new Subscriber(places);
            Thread main = Thread.currentThread();
            Runtime.getRuntime().addShutdownHook(new Thread(() -> end(consumer, main)));
            consumer.subscribe(List.of(words[1]));
            subscriber.follow(consumer);
        } catch (Exception error) {
            ERR.println(error.getMessage());
            code = 1;
        }
        OUT.flush();
        ERR.flush();
        Runtime.getRuntime().halt(code); // exit() would wait for the hook, which waits for this thread
    }

    /** In order: the batch in hand ends, is committed, the group learns of it; then `main` ends the process. */
    private static void end(KafkaConsumer<byte[], byte[]> consumer, Thread main) {
        consumer.wakeup();
        try {
            main.join();
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
    }
}
