class _Context:
    def set_client_mode(self, enabled):
        pass


default = _Context()
