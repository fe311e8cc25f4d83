"""Connects a Cinder volume to this machine with os-brick, the library by which Nova does the same.

One request as JSON on stdin, one answer as JSON on stdout; nothing secret is ever in an argument or printed. Requests:

  {"op": "connector", "ip": ADDR}                                   -> {"connector": {...}, "version": TEXT}
  {"op": "connect", "connection": {...}, "multipath": BOOL, "mounts": DIR}
                                                                    -> {"path": PATH, "device": {...}}
  {"op": "disconnect", "connection": {...}, "multipath": BOOL, "mounts": DIR, "device": {...} or null}
                                                                    -> {}

`mounts` is a folder of this attachment alone: where a backend is a network file system it is mounted below it, and
what is mounted there is unmounted again by "disconnect". A failure is {"error": KIND, "message": TEXT}, KIND one of
no_os_brick, failed.
"""

import contextlib
import json
import logging
import os
import subprocess
import sys


def main():
    request = json.load(sys.stdin)
    # What libraries print is not the answer.
    answer_to = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR)
    json.dump(answer(request), answer_to)
    answer_to.write("\n")
    answer_to.flush()


def answer(request):
    try:
        import os_brick
        from os_brick import privileged
        from os_brick.initiator import connector as brick
    except ImportError as error:
        return {"error": "no_os_brick", "message": str(error)}
    # This process is root already: no daemon that would hold root's rights for it.
    privileged.default.set_client_mode(False)
    try:
        with contextlib.suppress(AttributeError):
            os_brick.setup(_config())
        return {"connector": connector, "connect": connect, "disconnect": disconnect}[request["op"]](brick, request)
    except Exception as error:  # whatever it is, the program on the other side has to tell it
        return {"error": "failed", "message": _words(error)}


def _config():
    from oslo_config import cfg

    conf = cfg.ConfigOpts()
    conf([], project="stackferry", default_config_files=[], default_config_dirs=[])
    # Locks of os-brick are among the processes of this machine.
    from oslo_concurrency import lockutils

    with contextlib.suppress(Exception):
        lockutils.register_opts(conf)
        os.makedirs("/run/stackferry/locks", mode=0o700, exist_ok=True)
        conf.set_default("lock_path", "/run/stackferry/locks", group="oslo_concurrency")
    return conf


def connector(brick, request):
    from importlib import metadata

    found = brick.get_connector_properties(
        root_helper="", my_ip=request["ip"], multipath=True, enforce_multipath=False
    )
    plain = {key: value for key, value in found.items() if value is not None}
    plain["do_local_attach"] = True
    return {"connector": plain, "version": metadata.version("os-brick")}


def _connect_with(brick, request):
    connection = dict(request["connection"])
    # A mount of our own: the folder that the answer names is Cinder's.
    connection["mount_point_base"] = request["mounts"]
    made = brick.InitiatorConnector.factory(
        connection["driver_volume_type"],
        "",
        use_multipath=request["multipath"],
        device_scan_attempts=5,
        conn=connection,
        do_local_attach=True,
    )
    return made, connection


def connect(brick, request):
    os.makedirs(request["mounts"], mode=0o700, exist_ok=True)
    made, connection = _connect_with(brick, request)
    device = made.connect_volume(connection)
    path = device.get("path")
    if not isinstance(path, (str, bytes)):
        # Of a backend that can only be reached through a library (rbd without a kernel client).
        made.disconnect_volume(connection, device, force=True, ignore_errors=True)
        return {"error": "failed", "message": "the backend gives no device on this machine"}
    plain = {key: value for key, value in device.items() if _is_plain(value)}
    return {"path": os.fsdecode(path), "device": plain}


def disconnect(brick, request):
    made, connection = _connect_with(brick, request)
    try:
        made.disconnect_volume(connection, request["device"], force=request["device"] is None)
    except Exception as error:
        # Of what a killed program left, nobody knows how far it had come.
        if request["device"] is not None:
            return {"error": "failed", "message": _words(error)}
    return _unmount(request["mounts"])


def _unmount(folder):
    """Unmounts what is mounted below the folder and removes the empty folders. Never a file: they are volumes."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        points = [line.split()[4].encode("utf-8", "surrogateescape").decode("unicode_escape") for line in lines]
    for point in sorted((point for point in points if point.startswith(folder + "/")), reverse=True):
        done = subprocess.run(["umount", point], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            return {"error": "failed", "message": done.stderr.decode(errors="replace").strip()}
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                os.rmdir(os.path.join(folder, name))
    with contextlib.suppress(OSError):
        os.rmdir(folder)
    return {}


def _is_plain(value):
    if isinstance(value, list):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (str, int, bool))


def _words(error):
    """The first lines of an error. Commands that os-brick ran are in it, and never their input."""
    text = str(error).strip() or type(error).__name__
    return "\n".join(text.splitlines()[:6])[:1000]


if __name__ == "__main__":
    main()
