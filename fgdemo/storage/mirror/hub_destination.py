"""A private data set repository of the Hugging Face Hub as a mirror: one commit for many files."""

# Not all of huggingface_hub has types:
# pyright: reportUnknownMemberType=false, reportUnnecessaryComparison=false
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fgdemo.storage.hub.access import network_error
from fgdemo.storage.mirror.protocol import GoneError, Sending, complaint
from fgdemo.values.batches import batches
from fgdemo.values.counting import counted
from fgdemo.values.errors import StorageError, UnavailableError

REST_S = 30.0
"""The Hub takes 128 commits an hour to one repository."""
FILES_A_COMMIT = 500


class HubDestination:
    """See `fgdemo.storage.mirror.protocol.Destination`. The token is the one that `huggingface_hub` finds
    (`HF_TOKEN`).

    Args:
        repository: `owner/name`. It is made, private, by the first `write` if it is not there.
    """

    rest_s = REST_S

    def __init__(self, repository: str) -> None:
        from huggingface_hub import HfApi

        self._api = HfApi(library_name="fgdemo")
        self._repository = repository
        self._is_known = False

    def names(self, folder: str) -> dict[str, int]:
        from huggingface_hub.errors import EntryNotFoundError
        from huggingface_hub.hf_api import RepoFile

        if not self._is_there():
            return {}
        with _told():
            try:
                tree = self._api.list_repo_tree(
                    self._repository, folder.strip("/"), recursive=True, repo_type="dataset"
                )
                return {entry.path: entry.size for entry in tree if isinstance(entry, RepoFile)}
            except EntryNotFoundError:
                return {}

    def read(self, name: str) -> bytes:
        if not self._is_there():
            raise GoneError("The mirror is not there.")
        with _told(), tempfile.TemporaryDirectory() as folder:
            path = self._api.hf_hub_download(self._repository, name, repo_type="dataset", local_dir=folder)
            return Path(path).read_bytes()

    def write(self, files: Sequence[Sending]) -> None:
        from huggingface_hub import CommitOperationAdd

        with _told():
            if not self._is_there():
                self._api.create_repo(self._repository, repo_type="dataset", private=True, exist_ok=True)
            for some in batches(files, FILES_A_COMMIT):
                told = f"{counted(len(some), 'file')} of fgdemo"
                added = [CommitOperationAdd(one.name, one.content) for one in some]
                self._api.create_commit(self._repository, added, commit_message=told, repo_type="dataset")

    def remove(self, names: Sequence[str]) -> None:
        """From the newest version; whoever may read the repository's history still finds them there."""
        from huggingface_hub import CommitOperationDelete

        known = {name for folder in {name.rpartition("/")[0] for name in names} for name in self.names(folder)}
        gone = [CommitOperationDelete(name) for name in names if name in known]
        if gone:
            with _told():
                self._api.create_commit(
                    self._repository, gone, commit_message=f"{counted(len(gone), 'file')} removed", repo_type="dataset"
                )

    def _is_there(self) -> bool:
        """Whether the repository exists.

        Raises:
            StorageError: anybody could read it.
            UnavailableError: the Hub does not answer, or knows nobody by this token.
        """
        from huggingface_hub.errors import RepositoryNotFoundError

        if self._is_known:
            return True
        with _told():
            try:
                info = self._api.repo_info(self._repository, repo_type="dataset")
            except RepositoryNotFoundError:
                self._api.whoami()  # without a right token every private repository is “not found”
                return False
        if not info.private:
            raise StorageError(
                f"The data set {self._repository} of the Hugging Face Hub is public, and a mirror holds the hashes "
                "of passwords: make it private, or name another one in FGDEMO_MIRROR."
            )
        self._is_known = True
        return True


@contextmanager
def _told() -> Generator[None, None, None]:
    """What goes wrong with the Hub in the block, as one sentence."""
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalTokenNotFoundError

    try:
        yield
    except LocalTokenNotFoundError as error:
        raise UnavailableError("The mirror on the Hugging Face Hub needs a token: set HF_TOKEN.") from error
    except EntryNotFoundError as error:
        raise GoneError("A file of the mirror is not there.") from error
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403):
            words = "The Hugging Face Hub refuses the token: HF_TOKEN must be of somebody who may write the mirror."
        elif status == 429:
            words = "The Hugging Face Hub asks us to wait (too many requests); what is new is sent later."
        else:
            words = f"The Hugging Face Hub did not take or give what was asked (status {status})."
        raise UnavailableError(words) from error
    except (network_error(), OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise complaint(error) from error
        raise UnavailableError(f"The Hugging Face Hub cannot be reached ({type(error).__name__}).") from error
