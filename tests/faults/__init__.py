"""What the machine does to files: mounts that go, hang, fill up; needs root, and for some bindfs and /dev/fuse."""
