"""Whole machines to run the packages on: a virtual device in systemd-nspawn, and a board in QEMU."""
