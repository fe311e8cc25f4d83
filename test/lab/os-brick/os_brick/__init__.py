"""Stands in for os-brick where there is none: the little of it that our helper program calls.

It may only do what the real one (6.1.0, Debian 12) was seen to do in front of the real Cinder with its NFS driver: say what
this machine is, and give the path of the volume's file. It mounts nothing: the embedded cloud's folder is here already.
"""
