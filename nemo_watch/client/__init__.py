"""The cloud API: one client, its credentials, and the shapes that go in and out.

Touches: the network, the state folder (client id, anonymous token), the spool (downloads).
"""

from nemo_watch.client.api import Client
from nemo_watch.client.credentials import Credentials
from nemo_watch.client.download import DownloadResult
from nemo_watch.client.refusals import DUPLICATE_ID
from nemo_watch.client.transport import Timeouts
from nemo_watch.client.upload import MIME_TYPES, UploadSource
from nemo_watch.client.wire import UploadedFile

__all__ = [
    "DUPLICATE_ID",
    "MIME_TYPES",
    "Client",
    "Credentials",
    "DownloadResult",
    "Timeouts",
    "UploadSource",
    "UploadedFile",
]
