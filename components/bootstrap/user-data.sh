# shellcheck shell=bash
# Ends user data: the boot itself is a unit, which is there at every start of the machine until it has succeeded.
# This has systemd read all units anew, too.
systemctl enable --quiet poolwright-boot
systemctl start --no-block poolwright-boot
