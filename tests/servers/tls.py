"""A certificate for a Kafka of our own, and the listener that uses it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

CA = "ca.pem"
PASSWORD = "test-only"


def secured(directory: Path, address: str, properties: Mapping[str, str]) -> dict[str, str]:
    """Broker settings that add a SASL_SSL listener at `address` to `properties`; files go to `directory`."""
    keytool, store = shutil.which("keytool"), str(directory / "broker.p12")
    if keytool is None:
        raise RuntimeError("keytool, a part of Java, is missing: no certificate can be made")
    common = ["-alias", "broker", "-storetype", "PKCS12", "-keystore", store, "-storepass", PASSWORD]
    ours = ["-keyalg", "EC", "-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1", "-ext", "bc:c=ca:true"]
    for words in (["-genkeypair", *ours], ["-exportcert", "-rfc", "-file", str(directory / CA)]):
        done = subprocess.run([keytool, *words, *common], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"no certificate could be made:\n{done.stdout}{done.stderr}")
    return {
        "listeners": f"{properties['listeners']},SASL_SSL://{address}",
        "advertised.listeners": f"{properties['advertised.listeners']},SASL_SSL://{address}",
        "listener.security.protocol.map": f"{properties['listener.security.protocol.map']},SASL_SSL:SASL_SSL",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "ssl.keystore.type": "PKCS12",
        "ssl.keystore.location": store,
        "ssl.keystore.password": PASSWORD,
    }
