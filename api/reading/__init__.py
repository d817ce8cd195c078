"""What can be asked over HTTP: customers, timelines, figures, boards, queues and lists."""

from api.reading.routes import install

__all__ = ["install"]
