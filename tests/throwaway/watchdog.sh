# Starts and stops one server as it is told on standard input, and says how it stands on standard output: first the
# folder that everything is in, then `ready` or `ended`. When standard input closes, because whoever holds the other end
# is gone, however that came, the server is killed and the folder removed.
#
# From the environment: PREPARE (run once, in the folder), READY (a part of the line that the server logs when it can be
# used), STOP (the signal that ends it at once). The arguments are the server's command line.
trap '' INT TERM HUP PIPE
folder=$(mktemp -d) && cd "$folder" || exit
echo "$folder"

run() {
  sh -c 'echo $$ >pid; exec "$@"' server "$@" 2>&1 </dev/null | while read -r line; do
    printf '%s\n' "$line" >>log
    case $line in *"$READY"*) echo ready ;; esac
  done
  echo ended
}

stop() {
  kill -s "$STOP" "$(cat pid)"
  wait
}

if (eval "$PREPARE") >log 2>&1 </dev/null; then
  while read -r order; do
    case $order in
      start) run "$@" & ;;
      stop) stop ;;
    esac
  done
  stop
else
  echo ended
  # Whoever started this reads the log first.
  read -r order
fi
cd / && rm -rf "$folder"
