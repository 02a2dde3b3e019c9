#!/bin/sh
# The least rights in Kafka of each stage, and of who asks and puts in force.
#
#     deploy/kafka/acls.sh kafka:9092 shop "web.tracks app.tracks" --command-config admin.properties
#
# broker, the segmentation's name, the topics that INGEST reads ("" for none), then whatever kafka-acls.sh takes.
# Principals are <name>-ingest, <name>-label, <name>-learn and <name>-operator. Topics are made by who may create them.
set -eu
broker=$1 name=$2 inputs=$3
shift 3

allow() { # principal, operations, topics
    user=$1 operations=$2 topics=$3
    shift 3
    for operation in $operations; do set -- "$@" --operation "$operation"; done
    for topic in $topics; do set -- "$@" --topic "$topic"; done
    kafka-acls.sh --bootstrap-server "$broker" "$@" --add --allow-principal "User:$user"
}
group() { # principal, operation, consumer groups
    user=$1 operation=$2 groups=$3
    shift 3
    for group in $groups; do set -- "$@" --group "$group"; done
    kafka-acls.sh --bootstrap-server "$broker" "$@" --add --allow-principal "User:$user" --operation "$operation"
}
ours() { # logical names
    for topic in "$@"; do printf '%s.%s.v1 ' "$name" "$topic"; done
}

if [ -n "$inputs" ]; then
    allow "$name-ingest" "Read" "$inputs" "$@"
    allow "$name-ingest" "Read" "$(ours samples activations)" "$@"
    allow "$name-ingest" "Read Write DescribeConfigs" "$(ours events)" "$@"
    allow "$name-ingest" "Write" "$(ours dead-letters late-events)" "$@"
    group "$name-ingest" Read "$name-ingest" "$@"
    # `doctor` and `apply` look at them, `status` at how far INGEST is.
    allow "$name-operator" "Describe" "$inputs" "$@"
    group "$name-operator" Describe "$name-ingest" "$@"
fi

allow "$name-label" "Read Write DescribeConfigs" "$(ours events samples)" "$@"
allow "$name-label" "Read" "$(ours activations)" "$@"
allow "$name-label" "Write" "$(ours segment-changes customer-segments dead-letters late-events)" "$@"
group "$name-label" Read "$name-label" "$@"

allow "$name-learn" "Read Write DescribeConfigs" "$(ours events samples)" "$@"
allow "$name-learn" "Read Write" "$(ours activations)" "$@"
allow "$name-learn" "Write" "$(ours models segment-definitions drift-metrics learn-progress trainings dead-letters)" "$@"
group "$name-learn" Read "$name-learn" "$@"

# `apply`, `model`, `segments`, `doctor`, `status`, `drain`: reads everything, writes into the two logs. `rebuild`, `snapshot`
# and `restore` ask whether a group has members; Kafka's own command sets it back where Redis lost everything.
allow "$name-operator" "Read DescribeConfigs" "$(ours segment-changes customer-segments models activations trainings \
    segment-definitions drift-metrics dead-letters late-events learn-progress)" "$@"
allow "$name-operator" "Read Write DescribeConfigs" "$(ours events samples)" "$@"
group "$name-operator" Read "$name-label $name-learn" "$@"
