"""oaktree for Python: messages and stubs in `oaktree.v1`, helpers in `oaktree.client`."""
