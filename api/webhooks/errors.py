"""Why a webhook is refused or an event could not be delivered."""

from domain.errors import DaybookError


class AddressRefused(DaybookError):
    """The address is none to send to: not https (`webhook.not_https`), or of a private network (`webhook.address_private`)."""
