"""A Hugging Face Hub on this machine, for the real `huggingface_hub`: the same routes, shapes and refusals over HTTP.

    with hub_stand_in() as hub:
        hub.add_user("ada", token="hf_ada", orgs=["lab"])
        with hub.as_the_hub("hf_ada"):            # the client in this process; for others: hub.environment("hf_ada")
            HfApi().create_repo("lab/birds", repo_type="dataset", private=True)
        hub.repos["dataset", "lab/birds"].files   # path → bytes

Routes and shapes are those that the installed client asks for (its `hf_api.py`, `_commit_api.py`, `lfs.py`). Xet is
left out, so the client must be told not to use it, which `as_the_hub` and `environment` do. Jobs and signing in are in
`hub_stand_in_jobs` and `hub_stand_in_oauth`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import PurePosixPath
from typing import Any
from unittest import mock

import uvicorn
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

LFS_FROM_BYTES = 10_000_000
"""The Hub wants files of this size and more, and some endings whatever their size, as LFS."""
LFS_ENDINGS = (".safetensors", ".parquet", ".zip", ".pt", ".onnx")
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
SCOPES = {
    "email",
    "read-repos",
    "gated-repos",
    "contribute-repos",
    "write-repos",
    "manage-repos",
    "inference-api",
    "jobs",
}
PAGE = 1000
"""Entries of a tree in one answer; the next ones are named in its Link header."""


@dataclass(frozen=True)
class User:
    name: str
    orgs: tuple[str, ...] = ()
    can_write: bool = True
    can_pay: bool = True
    scopes: tuple[str, ...] = ("write-repos", "jobs")

    def owns(self, namespace: str) -> bool:
        return namespace == self.name or namespace in self.orgs


@dataclass
class Repo:
    """One repository: what it holds now, and how it came to that."""

    private: bool
    sdk: str | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=lambda: ["initial commit"])
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    hardware: str = "cpu-basic"

    @property
    def sha(self) -> str:
        return hashlib.sha1(json.dumps([len(self.commits), *self.commits]).encode()).hexdigest()


class RefusedError(Exception):
    """An answer of the Hub that is not 200; `code` is what its X-Error-Code header says."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


Answer = Callable[["Hub", Request], Any]


class Hub:
    """What the Hub knows. Change it directly to set a scene; `url` is where it answers."""

    def __init__(self) -> None:
        self.url = ""
        self.users: dict[str, User] = {}
        self.repos: dict[tuple[str, str], Repo] = {}
        self.objects: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.is_down = False
        """Whether everything is answered with 503."""
        self.extra: dict[str, Any] = {}

    def add_user(self, name: str, *, token: str, orgs: Sequence[str] = (), **more: Any) -> User:
        self.users[token] = User(name, tuple(orgs), **more)
        return self.users[token]

    def environment(self, token: str | None = None, env: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The environment in which another process takes this for the Hub, and is signed in with `token`."""
        kept = {key: value for key, value in env.items() if key not in ("HF_TOKEN", "HF_HUB_OFFLINE")}
        ours = {"HF_ENDPOINT": self.url, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        return {**kept, **ours, **({"HF_TOKEN": token} if token else {"HF_TOKEN_PATH": os.devnull})}

    @contextmanager
    def as_the_hub(self, token: str | None = None) -> Iterator[None]:
        """The same for the client in this process, which has read its environment already."""
        from huggingface_hub import constants

        kept = {"HF_TOKEN": token} if token else {}
        with (
            mock.patch.multiple(
                constants, ENDPOINT=self.url, HF_HUB_DISABLE_XET=True, HF_HUB_OFFLINE=False, HF_TOKEN_PATH=os.devnull
            ),
            mock.patch.object(
                constants, "HUGGINGFACE_CO_URL_TEMPLATE", self.url + "/{repo_id}/resolve/{revision}/{filename}"
            ),
            mock.patch.dict(os.environ, kept),
        ):
            if not token:
                os.environ.pop("HF_TOKEN", None)
            yield

    def user(self, request: Request) -> User | None:
        """Who asks. A token that nobody has is refused."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if token and token not in self.users:
            raise RefusedError(401, "Invalid credentials in Authorization header")
        return self.users.get(token)

    def repo(self, request: Request, *, write: bool = False) -> Repo:
        """The repository that the address names, if this person may know of it (and write to it)."""
        kind = request.path_params.get("kind", "models").removesuffix("s")
        name = f"{request.path_params['owner']}/{request.path_params['name']}"
        user, repo = self.user(request), self.repos.get((kind, name))
        owner = user is not None and user.owns(request.path_params["owner"])
        if repo is None or (repo.private and not owner):
            raise RefusedError(404 if user else 401, "Repository not found", "RepoNotFound")
        if write and not (owner and user is not None and user.can_write):
            raise RefusedError(403, "You don't have the rights to write to this repository")
        revision = request.path_params.get("revision", "main")
        if revision not in ("main", "HEAD", repo.sha):
            raise RefusedError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return repo


# --- who one is, making and looking at repositories -----------------------------------------------------------------


def whoami(hub: Hub, request: Request) -> Any:
    user = hub.user(request)
    if user is None:
        raise RefusedError(401, "Invalid username or password.")
    orgs = [{"type": "org", "name": org, "fullname": org, "roleInOrg": "contributor"} for org in user.orgs]
    role = "write" if user.can_write else "read"
    return {
        "type": "user",
        "name": user.name,
        "fullname": user.name.title(),
        "canPay": user.can_pay,
        "avatarUrl": "",
        "orgs": orgs,
        "auth": {"type": "access_token", "accessToken": {"displayName": "test", "role": role}},
    }


def create(hub: Hub, request: Request, asked: dict[str, Any]) -> Any:
    user, kind = hub.user(request), asked.get("type") or "model"
    if user is None:
        raise RefusedError(401, "Invalid username or password.")
    namespace = asked.get("organization") or user.name
    name = f"{namespace}/{asked['name']}"
    url = f"{hub.url}/{'' if kind == 'model' else kind + 's/'}{name}"
    if not user.owns(namespace) or not user.can_write:
        raise RefusedError(403, f'You don\'t have the rights to create a {kind} under the namespace "{namespace}"')
    if (kind, name) in hub.repos:
        return JSONResponse({"error": f"You already created this {kind} repo", "url": url}, 409)
    repo = Repo(asked.get("visibility") == "private" or bool(asked.get("private")), asked.get("sdk"))
    repo.files[".gitattributes"] = b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"
    repo.variables = {one["key"]: one["value"] for one in asked.get("variables", [])}
    repo.secrets = {one["key"]: one["value"] for one in asked.get("secrets", [])}
    hub.repos[kind, name] = repo
    return {"url": url, "name": name, "id": hashlib.sha1(name.encode()).hexdigest()[:24]}


def delete(hub: Hub, request: Request, asked: dict[str, Any]) -> Any:
    user = hub.user(request)
    name = f"{asked.get('organization') or (user.name if user else '')}/{asked['name']}"
    if user is None or not user.owns(name.split("/")[0]):
        raise RefusedError(403, "You don't have the rights to delete this repository")
    if hub.repos.pop((asked.get("type") or "model", name), None) is None:
        raise RefusedError(404, "Repository not found", "RepoNotFound")
    return {}


def info(hub: Hub, request: Request) -> Any:
    repo = hub.repo(request)
    name = f"{request.path_params['owner']}/{request.path_params['name']}"
    siblings = [{"rfilename": path} for path in sorted(repo.files)]
    told = {
        "id": name,
        "author": name.split("/")[0],
        "sha": repo.sha,
        "private": repo.private,
        "gated": False,
        "disabled": False,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "siblings": siblings,
        "lastModified": _now(),
        "createdAt": _now(),
    }
    if request.path_params["kind"] == "spaces":
        told |= {"sdk": repo.sdk, "runtime": _runtime(repo), "host": None, "subdomain": name.replace("/", "-")}
    return told


def validate_yaml(hub: Hub, request: Request, asked: dict[str, Any]) -> Any:
    """The front matter of a README. Of a Space's it is checked what the Hub's reference of Spaces says."""
    parts = asked["content"].split("---\n")
    front = yaml.safe_load(parts[1]) if len(parts) > 2 and not parts[0].strip() else {}
    wrong = []
    if asked.get("repoType") == "space" and front:
        wrong += [f"{key} is required" for key in ("title", "sdk") if not front.get(key)]
        wrong += [f"{key} is no colour" for key in ("colorFrom", "colorTo") if front.get(key, "red") not in COLOURS]
        wrong += ["short_description is too long"] if len(front.get("short_description", "")) > 60 else []
        wrong += [f"unknown scope {one}" for one in front.get("hf_oauth_scopes", []) if one not in SCOPES]
    answer = {"errors": [{"message": one} for one in wrong], "warnings": []}
    return JSONResponse(answer, 400 if wrong else 200)


def settings(hub: Hub, request: Request, asked: dict[str, Any]) -> Any:
    repo = hub.repo(request, write=True)
    repo.private = asked.get("visibility") == "private" if "visibility" in asked else bool(asked.get("private"))
    return {"private": repo.private}


def tree(hub: Hub, request: Request) -> Any:
    """Files and folders, all or those of one folder; in pages, as the Hub gives them."""
    repo, folder = hub.repo(request), request.path_params.get("path", "").strip("/")
    recursive = request.query_params.get("recursive", "").lower() in ("true", "1")
    entries: dict[str, dict[str, Any]] = {}
    for path in sorted(repo.files):
        inside = PurePosixPath(path)
        if folder and not path.startswith(f"{folder}/"):
            continue
        for above in [one for one in inside.parents if str(one) not in (".", folder) and len(str(one)) > len(folder)]:
            entries[str(above)] = {"type": "directory", "oid": _oid(str(above).encode()), "size": 0, "path": str(above)}
        entries[path] = _entry(hub, repo, path)
    if folder and not entries:
        raise RefusedError(404, f"{folder} does not exist on “main”", "EntryNotFound")
    depth = folder.count("/") + 2 if folder else 1
    listed = [one for path, one in sorted(entries.items()) if recursive or path.count("/") + 1 == depth]
    start = int(request.query_params.get("cursor", 0))
    headers = {}
    if len(listed) > start + PAGE:
        headers["Link"] = f'<{request.url.include_query_params(cursor=start + PAGE)}>; rel="next"'
    return JSONResponse(listed[start : start + PAGE], headers=headers)


async def paths_info(hub: Hub, request: Request) -> Any:
    repo, form = hub.repo(request), await request.form()
    return [_entry(hub, repo, str(path)) for path in form.getlist("paths") if str(path) in repo.files]


def commits(hub: Hub, request: Request) -> Any:
    repo = hub.repo(request)
    return [
        {
            "id": hashlib.sha1(f"{at}{title}".encode()).hexdigest(),
            "title": title,
            "message": "",
            "date": _now(),
            "authors": [],
        }
        for at, title in reversed(list(enumerate(repo.commits)))
    ]


# --- up and down ----------------------------------------------------------------------------------------------------


def preupload(hub: Hub, request: Request, asked: dict[str, Any]) -> Any:
    repo = hub.repo(request, write=True)
    files = [
        {
            "path": one["path"],
            "uploadMode": "lfs" if _is_lfs(one["path"], one["size"]) else "regular",
            "shouldIgnore": False,
            "oid": _oid(repo.files[one["path"]]) if one["path"] in repo.files else None,
        }
        for one in asked["files"]
    ]
    return {"files": files}


async def commit(hub: Hub, request: Request) -> Any:
    repo = hub.repo(request, write=True)
    lines = [json.loads(line) for line in (await request.body()).splitlines() if line.strip()]
    summary, files = "", dict(repo.files)
    for line in lines:
        key, value = line["key"], line["value"]
        if key == "header":
            summary = value["summary"]
            if value.get("parentCommit") not in (None, repo.sha):
                raise RefusedError(412, "A commit has happened since. Please refresh and try again.")
        elif key == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif key == "lfsFile":
            if value["oid"] not in hub.objects:
                raise RefusedError(400, f"LFS object {value['oid']} does not exist")
            files[value["path"]] = hub.objects[value["oid"]]
        elif key == "deletedFile":
            if files.pop(value["path"], None) is None:
                raise RefusedError(404, f"{value['path']} does not exist", "EntryNotFound")
        elif key == "deletedFolder":
            files = {path: held for path, held in files.items() if not path.startswith(value["path"].strip("/") + "/")}
        else:
            raise RefusedError(400, f"unknown operation {key}")
    repo.files = files
    repo.commits.append(summary)
    name = f"{request.path_params['owner']}/{request.path_params['name']}"
    return {"success": True, "commitOid": repo.sha, "commitUrl": f"{hub.url}/{name}/commit/{repo.sha}"}


def lfs_batch(hub: Hub, request: Request, asked: dict[str, Any]) -> Any:
    hub.repo(request, write=True)
    objects = []
    for one in asked["objects"]:
        answer: dict[str, Any] = {"oid": one["oid"], "size": one["size"]}
        if one["oid"] not in hub.objects:
            answer["actions"] = {
                "upload": {"href": f"{hub.url}/lfs/{one['oid']}"},
                "verify": {"href": f"{hub.url}/lfs/verify"},
            }
        objects.append(answer)
    return {"transfer": "basic", "objects": objects}


async def lfs_put(hub: Hub, request: Request) -> Any:
    held = await request.body()
    if hashlib.sha256(held).hexdigest() != request.path_params["oid"]:
        raise RefusedError(400, "The content does not match the oid")
    hub.objects[request.path_params["oid"]] = held
    return {}


def lfs_verify(hub: Hub, request: Request, asked: dict[str, Any]) -> Any:
    if len(hub.objects.get(asked["oid"], b"")) != asked["size"]:
        raise RefusedError(404, "Object not found")
    return {}


def lfs_get(hub: Hub, request: Request) -> Any:
    return Response(hub.objects[request.path_params["oid"]], media_type="application/octet-stream")


def resolve(hub: Hub, request: Request) -> Any:
    repo, path = hub.repo(request), request.path_params["path"]
    if path not in repo.files:
        raise RefusedError(404, "Entry not found", "EntryNotFound")
    held, headers = repo.files[path], {"X-Repo-Commit": repo.sha}
    if not _is_lfs(path, len(held)):
        headers |= {"ETag": f'"{_oid(held)}"', "Content-Disposition": "inline"}
        return Response(held, media_type="application/octet-stream", headers=headers)
    digest = hashlib.sha256(held).hexdigest()
    hub.objects[digest] = held
    headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(held))}
    elsewhere = hub.url.replace("127.0.0.1", "localhost")  # large files lie on another host, to which no token goes
    return RedirectResponse(f"{elsewhere}/lfs/{digest}", 302, headers=headers)


# --- Spaces ---------------------------------------------------------------------------------------------------------


def variables(hub: Hub, request: Request, asked: dict[str, Any]) -> Any:
    """Variables and secrets; the values of secrets are never told."""
    repo = hub.repo(request, write=request.method != "GET")
    which = repo.variables if request.url.path.endswith("/variables") else repo.secrets
    if request.method == "POST":
        which[asked["key"]] = asked["value"]
    elif request.method == "DELETE":
        which.pop(asked["key"], None)
    told = which if which is repo.variables else {}
    return {key: {"value": told.get(key), "updatedAt": _now()} for key in which}


def hardware(hub: Hub, request: Request, asked: dict[str, Any]) -> Any:
    repo, user = hub.repo(request, write=True), hub.user(request)
    if asked["flavor"] != "cpu-basic" and not (user and user.can_pay):
        raise RefusedError(402, "Payment required")
    repo.hardware = asked["flavor"]
    return _runtime(repo)


def runtime(hub: Hub, request: Request) -> Any:
    return _runtime(hub.repo(request))


def _runtime(repo: Repo) -> dict[str, Any]:
    return {"stage": "RUNNING", "hardware": {"current": repo.hardware, "requested": repo.hardware}, "storage": None}


def _entry(hub: Hub, repo: Repo, path: str) -> dict[str, Any]:
    held = repo.files[path]
    entry: dict[str, Any] = {"type": "file", "oid": _oid(held), "size": len(held), "path": path}
    if _is_lfs(path, len(held)):
        entry["lfs"] = {"oid": hashlib.sha256(held).hexdigest(), "size": len(held), "pointerSize": 134}
    return entry


def _oid(held: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(held) + held).hexdigest()


def _is_lfs(path: str, size: int) -> bool:
    return size > 0 and (size >= LFS_FROM_BYTES or path.endswith(LFS_ENDINGS))


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


# --- serving --------------------------------------------------------------------------------------------------------


def answered(hub: Hub, answer: Callable[..., Any], body: bool) -> Callable[[Request], Any]:
    """A route of an answer, which is given the request, and its JSON body if it takes one."""

    async def route(request: Request) -> Response:
        hub.requests.append((request.method, request.url.path))
        if hub.is_down:
            return JSONResponse({"error": "Service Unavailable"}, 503)
        try:
            given = (hub, request, json.loads(await request.body() or b"{}")) if body else (hub, request)
            told = answer(*given)
            told = await told if hasattr(told, "__await__") else told
        except RefusedError as refused:
            headers = {"X-Error-Message": refused.message.encode("ascii", "replace").decode()}
            headers |= {"X-Error-Code": refused.code} if refused.code else {}
            return JSONResponse({"error": refused.message}, refused.status, headers=headers)
        return told if isinstance(told, Response) else JSONResponse(told)

    return route


def _routes(hub: Hub) -> list[Route]:
    from tests.support.hub_stand_in_jobs import JOBS
    from tests.support.hub_stand_in_oauth import OAUTH

    repo, plain = "/api/{kind}/{owner}/{name}", "/{owner}/{name}"
    reading: list[tuple[str, str, Callable[..., Any]]] = [
        ("GET", "/api/whoami-v2", whoami),
        ("GET", repo + "/tree/{revision}", tree),
        ("GET", repo + "/tree/{revision}/{path:path}", tree),
        ("POST", repo + "/paths-info/{revision}", paths_info),
        ("GET", repo + "/commits/{revision}", commits),
        ("POST", repo + "/commit/{revision}", commit),
        ("GET", repo + "/runtime", runtime),
        ("PUT", "/lfs/{oid}", lfs_put),
        ("GET", "/lfs/{oid}", lfs_get),
        *OAUTH,
        ("GET", repo + "/revision/{revision}", info),
        ("GET", repo, info),
        ("GET", "/{kind:kind}" + plain + "/resolve/{revision}/{path:path}", resolve),
        ("GET", plain + "/resolve/{revision}/{path:path}", resolve),
    ]
    writing: list[tuple[str, str, Callable[..., Any]]] = [
        ("POST", "/api/repos/create", create),
        ("DELETE", "/api/repos/delete", delete),
        ("POST", "/api/validate-yaml", validate_yaml),
        ("PUT", repo + "/settings", settings),
        ("POST", repo + "/preupload/{revision}", preupload),
        ("POST", "/{kind:kind}" + plain + ".git/info/lfs/objects/batch", lfs_batch),
        ("POST", plain + ".git/info/lfs/objects/batch", lfs_batch),
        ("POST", "/lfs/verify", lfs_verify),
        *[
            (method, f"{repo}/{what}", variables)
            for what in ("variables", "secrets")
            for method in ("GET", "POST", "DELETE")
        ],
        ("POST", repo + "/hardware", hardware),
        *JOBS,
    ]
    return [
        Route(path.replace("{kind:kind}", "{kind}"), answered(hub, answer, body), methods=[method])
        for listed, body in ((writing, True), (reading, False))
        for method, path, answer in listed
    ]


@contextmanager
def hub_stand_in() -> Iterator[Hub]:
    """A Hub of its own on a free port until the block ends; its jobs end with it."""
    from tests.support.hub_stand_in_jobs import stop_jobs

    hub = Hub()
    config = uvicorn.Config(
        Starlette(routes=_routes(hub)), host="127.0.0.1", port=0, log_level="error", date_header=False
    )
    server = uvicorn.Server(config)
    ready = threading.Event()
    started = server.startup

    async def startup(*given: Any, **more: Any) -> None:
        await started(*given, **more)
        ready.set()

    server.startup = startup
    thread = threading.Thread(target=server.run, name="hub", daemon=True)
    thread.start()
    assert ready.wait(60), "the stand-in of the Hub did not start"
    hub.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield hub
    finally:
        stop_jobs(hub)
        server.should_exit = True
        thread.join(10)
