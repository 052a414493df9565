#!/usr/bin/env bash
# One path of the kernels beside another on this machine: private steps of
# WRN-16-4 on one thread, the two taking turns; medians, and the median of the
# rounds' ratios. By default the AVX2 path beside the AVX-512 one.
#
#	trainerplugin/bench/paths.sh [--rounds N] [PATH REFERENCE]     avx2, avx512, go
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=5
if [ "${1:-}" = --rounds ]; then rounds=$2; shift 2; fi
[ $# = 0 ] || [ $# = 2 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
paths=("${1:-avx2}" "${2:-avx512}")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
go test -c -o "$dir/kernel.test" ./trainerplugin/kernel
go test -c -o "$dir/model.test" ./trainerplugin/model
for p in "${paths[@]}"; do
  reason=$(cd trainerplugin/kernel && SWEEP_KERNEL=$p "$dir/kernel.test" -test.run TestEnvironmentForcesThePath) ||
    { echo "paths: skipped: $(grep -o 'SWEEP_KERNEL=.*' <<<"$reason")"; exit 0; }
done
for ((round = 0; round < rounds; round++)); do
  for p in "${paths[@]}"; do
    SWEEP_KERNEL=$p "$dir/model.test" -test.run '^$' -test.bench '^BenchmarkClippedSum$/^wrn-16-4$/^K=1$/^threads=1$' -test.benchtime 2s |
      awk '{ for (i = 2; i <= NF; i++) if ($i == "views/s") print $(i - 1) }' >>"$dir/$p"
  done
done
paste "$dir/${paths[0]}" "$dir/${paths[1]}" | awk -v a="${paths[0]}" -v b="${paths[1]}" '
  function median(x, n,  i, j, t) {
    for (i = 2; i <= n; i++) for (j = i; j > 1 && x[j] < x[j - 1]; j--) { t = x[j]; x[j] = x[j - 1]; x[j - 1] = t }
    return n % 2 ? x[(n + 1) / 2] : (x[n / 2] + x[n / 2 + 1]) / 2
  }
  { x[NR] = $1; y[NR] = $2; r[NR] = $1 / $2 }
  END { printf "%s %.1f images/s, %s %.1f: %.0f%% of it (median of %d rounds)\n", a, median(x, NR), b, median(y, NR), 100 * median(r, NR), NR }'
