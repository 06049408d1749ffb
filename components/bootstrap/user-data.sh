# shellcheck shell=bash
# Ends user data: the boot itself is a unit, which is there at every start of the machine until it has succeeded.
systemctl daemon-reload
systemctl enable --quiet poolwright-boot
systemctl start --no-block poolwright-boot
