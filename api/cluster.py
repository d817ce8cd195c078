"""The Kafka cluster that the settings name."""

from api.settings import InvalidSettings, Settings
from bus.kafka.cluster import Access, Cluster


def cluster_of(settings: Settings) -> Cluster:
    """The Kafka cluster that the settings name. Raises InvalidSettings when they name none."""
    if not settings.kafka:
        raise InvalidSettings("no Kafka is named: set DAYBOOK_KAFKA=host:port")
    access = Access(
        protocol=settings.kafka_security_protocol,
        mechanism=settings.kafka_sasl_mechanism,
        username=settings.kafka_username,
        password=settings.kafka_password.get_secret_value() if settings.kafka_password else None,
        cafile=str(settings.kafka_cafile) if settings.kafka_cafile else None,
    )
    return Cluster(settings.kafka, settings.topics_prefix, access)
