#!/usr/bin/env bash
# Orchestration without training: sweep with the fake trainer on its embedded
# server, beside Ray Tune and Optuna from PyPI on the same job, one after the
# other on the same machine. Prints one line for each run.
#   workflows/bench/bench.sh [TRIALS...]      trials as fast as they go; default 100 1000
# Then every program runs trials of 1 s, four at a time. BENCH_PEERS=0 leaves
# the peers out; BENCH_LONG is how many trials of 1 s (default 120), BENCH_TIMES
# how often sweep runs them (default 3), and BENCH_VENV a folder with the peers.
# Ray Tune starts a process of Python for each trial: it has 100 quick ones.
set -euo pipefail
here=$(realpath "$(dirname "$0")")
cd "$here/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/sweep" ./cmd/sweep
go build -o "$work/trainer" ./workflows/bench
sum=$(sha256sum "$work/trainer" | cut -d' ' -f1)
unset TEMPORAL_ADDRESS TEMPORAL_PROFILE TEMPORAL_CONFIG_FILE SWEEP_DB SWEEP_DATA_DIR

# one NAME TRIALS STEP_TIME AT_ONCE
one() {
  local dir="$work/$1"
  mkdir -p "$dir"
  cat >"$dir/grid.yaml" <<YAML
name: $1
data: {name: glyphs, train: 1000, validation: 200}
model: tanh-cnn
trainer: {command: [$work/trainer, $3], sha256: $sum}
privacy: {noise_multiplier: [2], delta: 1e-5, accountant: rdp, noise: seeded}
grid: {batch_size: [100], learning_rate: {log: {min: 0.1, max: 10, num: $2}}, steps: [1]}
run: {parallel: $4}
YAML
  (cd "$dir" && /usr/bin/env python3 "$here/measure.py" "$work/sweep" start --yes grid.yaml --at-once "$4") >"$dir/measured" 2>"$dir/said" ||
    { cat "$dir/said"; exit 1; }
  report "$1" "$2" "$dir" "$4" "$3"
}

report() {
  local dir=$3 seconds rate
  seconds=$(sqlite3 "$dir/results.db" 'SELECT (julianday(max(ended)) - julianday(min(started))) * 86400 FROM attempts')
  printf '%-12s %6d trials  %8.1f s from first to last  %6.1f trials/s  %s  temporal %s MiB' "$1" "$2" "$seconds" \
    "$(echo "$2 / $seconds" | bc -l)" "$(cat "$dir/measured")" "$(du -cm "$dir"/results.d/temporal-* | tail -1 | cut -f1)"
  if [ "$5" = 1s ]; then
    printf '  overhead %.1f ms a trial with start and end of the program, %.1f ms from first to last, %.1f ms after the first %d' \
      "$(echo "($(cut -d' ' -f1 "$dir/measured") * $4 / $2 - 1) * 1000" | bc -l)" \
      "$(echo "($seconds * $4 / $2 - 1) * 1000" | bc -l)" "$(steady "$dir" "$4")" "$4"
  fi
  printf '\n'
  events "$dir"
}

# steady DIR AT_ONCE is the overhead once every slot has had a trial, in ms:
# the time to start the server and the first trainers is not in it.
steady() {
  sqlite3 "$1/results.db" "WITH ends AS (SELECT julianday(ended) * 86400 AS s, row_number() OVER (ORDER BY ended) AS n FROM attempts)
    SELECT ((max(s) - max(CASE WHEN n = $2 THEN s END)) * $2 / (count(*) - $2) - 1) * 1000 FROM ends"
}

# events prints the longest history among the sweep's workflows.
events() {
  sqlite3 "$(ls "$1"/results.d/temporal-*.db)" \
    "SELECT '             longest history: ' || max(node_id) || ' events' FROM history_node"
}

uptime
for n in "${@:-100 1000}"; do
  for trials in $n; do one "quick-$trials" "$trials" 0s 4; done
done
for time in $(seq "${BENCH_TIMES:-3}"); do one "long-$time" "${BENCH_LONG:-120}" 1s 4; done
if [ "${BENCH_PEERS:-1}" != 0 ]; then
  venv=${BENCH_VENV:-$work/venv}
  [ -x "$venv/bin/python" ] || { python3 -m venv "$venv" && "$venv/bin/pip" install -q 'ray[tune]' optuna; }
  for job in "optuna ${BENCH_LONG:-120} 1" "optuna 1000 0" "ray ${BENCH_LONG:-120} 1" "ray 100 0"; do
    timeout 900 "$venv/bin/python" "$here/peers.py" $job 4 || echo "$job: not done in 15 minutes"
  done
fi
uptime
