.PHONY: slow slower soak build test check race lint e2e bench bench-engine bench-privacy gpu-check bench-orchestration

build: ## the program, as ./bin/sweep
	go build -o bin/sweep ./cmd/sweep

test: ## all tests; links the embedded Temporal server, which takes minutes the first time
	go test ./...

slow: ## tests of half a minute that .ci/run has time for: full and read-only disks, a cut network, where keys and losers get to, who lacks a key, broken trainers
	SWEEP_SLOW=1 go test ./cmd/sweep -run 'TestFullDisks|TestNetworkCut|TestKeysStayInCheckpoints|TestPayloadKeysMustAgree|TestPrivateSelectTellsNothing|TestBrokenTrainers|TestReadOnly' -count=1

slower: ## twelve more minutes of them: leaks, what a killed or cut off trial loses, clocks that are set, signals, steering, killed searches, clouds, the real quickstart, versions, priorities, gradients at full size
	SWEEP_SLOW=1 go test ./cmd/sweep -run 'TestWorkerLeaksNothing|TestFaultsCostLittle|TestClockJumps|TestSteering|TestAdaptiveSweepsSurviveKills|TestSweepOnClouds|TestReadmeSession|TestVersionsSideBySide|TestWorkerServesTheRecord|TestPrioritiesAndFairness|TestLockedRecordAtTheEnd|TestDrainBySignals|TestKilledExport' -count=1
	SWEEP_SLOW=1 go test ./trainerplugin/model -run TestRealSize -count=1

# The race detector needs its own build of everything that a test links. The
# embedded server is not built for it: ten minutes, for code that is not ours.
race: ## all tests but those that link the embedded server, under the race detector; long ones shortened
	go test -race -short $$(go list ./... | grep -v -e /cmd/sweep -e /workflows/devserver)

lint: ## gofmt, vet, staticcheck, workflowcheck
	.ci/lint

e2e: build ## one sweep through the built program, killed on the way
	.ci/e2e bin/sweep

soak: ## 300 random faults over 500 trials, 1000 trials for leaks, a network cut for minutes, and kills of trials of three: an hour; SWEEP_SOAK_SEED repeats one
	SWEEP_SLOW=1 SWEEP_FAULTS=300 SWEEP_SOAK_TRIALS=500 SWEEP_LEAK_TRIALS=1000 SWEEP_CUT_SECONDS=150 SWEEP_COST_SECONDS=180 go test ./cmd/sweep -run 'TestSoak|TestWorkerLeaksNothing|TestLongNetworkCut|TestFaultsCostLittle' -count=1 -v -timeout 3h

check: lint test race e2e ## what CI runs

bench: ## benchmarks of the packages where speed is a promise
	go test -run '^$$' -bench . -benchtime 1s ./privacy ./search ./trainerplugin/...

bench-engine: ## our engine beside torch, Opacus and JAX from PyPI, interleaved
	trainerplugin/bench/bench.sh

.PHONY: bench-paths emulate-avx512
bench-paths: ## the AVX2 kernels beside the AVX-512 ones, on a processor that has both, and what a model of processors expects
	trainerplugin/bench/paths.sh
	trainerplugin/bench/mca.sh

emulate-avx512: ## the engine's tests on the AVX-512 path, in the emulator Bochs; says what it needs
	go -C trainerplugin/kernel/gen run ./emulate

gpu-check: ## what works on this machine's GPU, and how fast: a table, and gpu-check.json; docs/gpu.md
	@if command -v go >/dev/null; then go build -o bin/gpu-check ./trainerplugin/xla/gpucheck; fi
	bin/gpu-check -out gpu-check.json
bench-orchestration: ## trials a second, memory and overhead, beside Ray Tune and Optuna from PyPI
	workflows/bench/bench.sh

bench-privacy: build ## our accountants beside dp_accounting and Opacus from PyPI
	privacy/bench/run bin/sweep

.PHONY: bench-search
bench-search: ## search strategies on a recorded surface, 50 seeds each
	go run ./search/bench -plot search/regret.svg
