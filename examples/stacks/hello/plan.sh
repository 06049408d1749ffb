# Writes what would be done to plan.txt; the apply does exactly that, on this worker or on another one.
set -eu
echo "Reading greeting.conf …"
. ./greeting.conf
for step in 1 2 3; do
  echo "Comparing with what is there ($step of 3) …"
  sleep 0.4
done
printf 'write %s: %s\n' "$FILE" "$TEXT" >plan.txt
echo
echo "Plan: 1 to add, 0 to change, 0 to destroy."
sed 's/^/  + /' plan.txt
