import os


def get_connector_properties(root_helper, my_ip, multipath, enforce_multipath):
    return {
        "platform": "x86_64",
        "os_type": "linux",
        "ip": my_ip,
        "host": "converter",
        "multipath": False,
        "initiator": "iqn.1993-08.org.debian:01:3418c935b48e",
        "do_local_attach": False,
        "nvme_native_multipath": False,
        "nqn": None,
    }


class InitiatorConnector:
    @staticmethod
    def factory(protocol, root_helper, use_multipath, device_scan_attempts, conn, do_local_attach):
        if protocol != "nfs":
            raise ValueError("Invalid InitiatorConnector protocol specified %s" % protocol)
        return _Remote()


class _Remote:
    def connect_volume(self, connection):
        path = os.path.join(connection["export"].split(":", 1)[1], connection["name"])
        if not os.path.exists(path):
            raise RuntimeError("NFS mount of %s failed" % connection["export"])
        return {"path": path}

    def disconnect_volume(self, connection, device, force=False, ignore_errors=False):
        """Nothing has to be done: a share stays mounted."""
