#!/usr/bin/env bash
# What LLVM's models of processors say of the inner loops of the AVX2 and the
# AVX-512 tile: the cycles of one step, the multiply-adds they leave room for,
# and the ratio of the two paths' speeds at the same clock. It measures nothing
# and runs on any machine.
#
#	trainerplugin/bench/mca.sh [PROCESSOR ...]     names as in llvm-mca -mcpu=help
#
# Needs llvm-mca and llvm-objdump (Debian: apt-get install llvm-19, or llvm).
# LLVM_BIN names the folder of a version that is not on the path.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=${LLVM_BIN:+$LLVM_BIN:}$PATH:/usr/lib/llvm-19/bin
for tool in llvm-mca llvm-objdump; do
  $tool --version >/dev/null 2>&1 || { echo "mca: skipped: $tool does not run here; on Debian: apt-get install llvm-19"; exit 0; }
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
GOARCH=amd64 GOOS=linux CGO_ENABLED=0 go test -c -o "$dir/kernel.test" ./trainerplugin/kernel

# The innermost loop of a tile: what lies between the target of a jump
# backwards and that jump, with multiply-adds and no other jump.
loop() {
  llvm-objdump -d --no-show-raw-insn --disassemble-symbols="sweep/trainerplugin/kernel.$1.abi0" "$dir/kernel.test" |
    awk -F'\t' '
      { sub(/:.*/, "", $1); gsub(/ /, "", $1); sub(/ *#.*/, "", $3) }
      $2 ~ /^j/ {
        target = $3; sub(/^0x/, "", target); sub(/ .*/, "", target)
        if (target in at && fma > 0) { for (i = at[target]; i <= n; i++) print line[i]; print $2 "\t0x0"; exit }
        split("", at); n = fma = 0; next
      }
      NF > 2 { at[$1] = ++n; line[n] = $2 "\t" $3 }
      $2 ~ /^vfmadd/ { fma++ }' >"$dir/$1.s"
  [ -s "$dir/$1.s" ] || { echo "mca: found no loop in $1" >&2; exit 1; }
}
loop tileAVX2x6
loop tileAVX512x8x2

# cycles of a step, in the steady state of a thousand of them, and where the most waiting is.
model() {
  llvm-mca -mtriple=x86_64 -mcpu="$1" -iterations=1000 -bottleneck-analysis "$dir/$2.s" >"$dir/report" 2>/dev/null
  awk '/^Total Cycles:/ { c = $3 } /^Iterations:/ { i = $2 } /^Block RThroughput:/ { b = $3 } END { printf "%.2f %.2f", c / i, b }' "$dir/report"
}
llvm-mca --version | sed -n 's/.*\(LLVM version.*\)/\1/p'
printf '%-16s %-16s %8s %8s %12s %8s\n' processor tile cycles bound flop/cycle ratio
processors=("$@")
[ $# -gt 0 ] || processors=(skylake-avx512 icelake-server sapphirerapids znver4)
known=$(llvm-mca -mtriple=x86_64 -mcpu=help </dev/null 2>&1 || true)
for cpu in "${processors[@]}"; do
  grep -q "^ *$cpu " <<<"$known" || { echo "$cpu: unknown to this LLVM"; continue; }
  read -r narrow narrowBound < <(model "$cpu" tileAVX2x6; echo)
  read -r wide wideBound < <(model "$cpu" tileAVX512x8x2; echo)
  awk -v cpu="$cpu" -v n="$narrow" -v nb="$narrowBound" -v w="$wide" -v wb="$wideBound" 'BEGIN {
    narrow = 2 * 6 * 16 / n; wide = 2 * 8 * 32 / w # multiply-adds of a step count as two
    printf "%-16s %-16s %8s %8s %12.1f\n", cpu, "AVX2 6x16", n, nb, narrow
    printf "%-16s %-16s %8s %8s %12.1f %7.0f%%\n", "", "AVX-512 8x32", w, wb, wide, 100 * narrow / wide }'
done
