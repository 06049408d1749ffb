# Does what plan.txt says. The file came with the workspace, sealed, from the worker that made the plan.
set -eu
echo "Applying the plan:"
sed 's/^/  /' plan.txt
. ./greeting.conf
sleep 0.4
printf '%s\n' "$TEXT" >"$FILE"
echo
cat "$FILE"
echo "Apply complete: 1 added, 0 changed, 0 destroyed."
