package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sweep/workflows/devserver"
)

// partedGrid is trials of the fake trainer of 100 steps.
const partedGrid = `
name: parted
data: {name: glyphs, train: 600, validation: 300}
model: tanh-cnn
%s
privacy: {noise_multiplier: [2], delta: 1e-4, accountant: rdp, noise: seeded}
grid: {batch_size: [60, 120], learning_rate: [0.25, 0.5, 1, 2, 3, 4, 5, 6]}
fixed: {steps: 100, option.step_time: %v}
run: {parallel: 4, checkpoint_every: 1s}
`

// TestNetworkCut puts a server with the record and two workers on machines of
// their own, as far as the network goes, and cuts one worker off for a moment
// and the other for longer than it takes to be given up. Every trial is
// completed once, whoever trained it.
func TestNetworkCut(t *testing.T) {
	slow(t)
	parting{step: 20 * time.Millisecond, lostAfter: "6s", short: 2 * time.Second, long: 9 * time.Second}.run(t)
}

// TestLongNetworkCut is the same with trials of half a minute, the heartbeat
// time-out that users have, and a cut of minutes.
func TestLongNetworkCut(t *testing.T) {
	cut := number(t, "SWEEP_CUT_SECONDS", 0)
	if cut == 0 {
		t.Skip("SWEEP_CUT_SECONDS is not set; `make soak` sets it")
	}
	parting{step: 300 * time.Millisecond, short: 10 * time.Second, long: time.Duration(cut) * time.Second}.run(t)
}

// A parting is a sweep of which one worker is cut off for a short while, and then
// the other for a long one.
type parting struct {
	step        time.Duration // of training
	lostAfter   string        // "" is what users have
	short, long time.Duration
}

func (p parting) run(t *testing.T) {
	net := newNetwork(t, "srv", "wa", "wb")
	dir := t.TempDir()
	writeGrid(t, dir, fmt.Sprintf(partedGrid, fakeTrainer(t), p.step))
	server := net.on("srv", sweepIn(dir, "server", "--no-train", "--listen", net.address("srv")))
	defer background(t, server)()
	waitForServer(t, dir)
	info, err := devserver.Running(filepath.Join(dir, "results.d"))
	if err != nil || !strings.HasPrefix(info.Address, net.address("srv")+":") {
		t.Fatalf("the server is at %s, %v; want the address of its machine", info.Address, err)
	}
	for _, name := range []string{"wa", "wb"} {
		worker := net.on(name, sweepIn(t.TempDir(), "worker", "--at-once", "2"))
		worker.Env = append(worker.Env, clusterEnv(filepath.Join(dir, "results.d"), info)...)
		defer background(t, worker)()
	}
	start := net.on("srv", sweepIn(dir, "start", "--detach", "grid.yaml"))
	if p.lostAfter != "" {
		start.Env = append(start.Env, lostAfterVariable+"="+p.lostAfter)
	}
	if out, err := start.CombinedOutput(); err != nil {
		t.Fatalf("start: %v\n%s", err, out)
	}
	completed := func() int {
		out, _ := sweepIn(dir, "trials", "--state", "completed", "-o", "csv").Output()
		return strings.Count(string(out), ",completed,")
	}
	waitFor(t, "completed trial", func() bool { return completed() > 0 })
	net.cut("wa")
	time.Sleep(p.short)
	net.heal("wa")
	net.cut("wb")
	time.Sleep(p.long)
	net.heal("wb")
	wait := sweepIn(dir, "wait", "--timeout", "10m")
	if out, err := wait.CombinedOutput(); err != nil {
		t.Fatalf("after the network has healed: %v\n%s", err, out)
	}
	p.check(t, dir, completed())
}

// check looks for one outcome of each trial, and for attempts that were given up,
// tried again from their checkpoints, and have come to no other end since.
func (p parting) check(t *testing.T, dir string, completed int) {
	t.Helper()
	rows, err := sweepIn(dir, "trials", "--attempts").Output()
	t.Logf("%v\n%s", err, rows)
	if completed != 16 {
		t.Errorf("%d trials completed, want 16", completed)
	}
	ask := func(sql string) string {
		out, err := exec.Command("sqlite3", filepath.Join(dir, "results.db"), sql).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", sql, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	for sql, want := range map[string]string{
		`SELECT count(*) FROM attempts WHERE failure IS NULL`:                                                                  "16", // each outcome was recorded by one attempt
		`SELECT count(*) FROM attempts WHERE ended IS NULL`:                                                                    "0",
		`SELECT count(*) FROM attempts a JOIN trials t ON t.key = a.trial WHERE (a.failure IS NULL) <> (a.number = t.attempt)`: "0", // by the last one
	} {
		if got := ask(sql); got != want {
			t.Errorf("%s: %s; want %s", sql, got, want)
		}
	}
	if lost := ask(`SELECT count(*) FROM attempts WHERE failure = 'lost'`); lost == "0" {
		t.Error("no attempt was given up: the cuts were not felt")
	}
	if p.lostAfter != "" {
		return // trials of two seconds: whether one had a checkpoint when it was cut off is chance
	}
	if on := ask(`SELECT count(*) FROM attempts WHERE number > 1 AND from_step > 0`); on == "0" {
		t.Error("no attempt went on from a checkpoint of one that was given up")
	}
}

// A network is machines of their own on one switch, made of the kernel's
// network namespaces.
type network struct {
	t     *testing.T
	tag   string
	names []string
}

// newNetwork skips the test, aloud, where the system does not allow it.
func newNetwork(t *testing.T, names ...string) *network {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: cutting the network takes half a minute; run without -short")
	}
	n := &network{t: t, tag: fmt.Sprintf("sw%d", os.Getpid()), names: names}
	try := func(args ...string) {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "SKIPPED: no network namespaces here, so no test of a network cut: ip %s: %v: %s\n", strings.Join(args, " "), err, out)
			t.Skipf("ip %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	t.Cleanup(func() {
		for _, name := range append(names, "switch") {
			_ = exec.Command("ip", "netns", "del", n.space(name)).Run() // what was never made is not there
		}
	})
	try("netns", "add", n.space("switch"))
	try("-n", n.space("switch"), "link", "add", "br0", "type", "bridge")
	try("-n", n.space("switch"), "link", "set", "br0", "up")
	for _, name := range names {
		space, port := n.space(name), n.port(name)
		try("netns", "add", space)
		try("-n", space, "link", "set", "lo", "up")
		try("-n", space, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", n.space("switch"))
		try("-n", space, "addr", "add", n.address(name)+"/24", "dev", "eth0")
		try("-n", space, "link", "set", "eth0", "up")
		try("-n", n.space("switch"), "link", "set", port, "master", "br0", "up")
	}
	return n
}

func (n *network) space(name string) string { return n.tag + name }
func (n *network) port(name string) string  { return "p-" + name }

func (n *network) address(name string) string {
	for i, other := range n.names {
		if other == name {
			return fmt.Sprintf("10.77.0.%d", i+1)
		}
	}
	n.t.Fatalf("no machine %s", name)
	return ""
}

// on has cmd run on the machine.
func (n *network) on(name string, cmd *exec.Cmd) *exec.Cmd {
	cmd.Args = append([]string{"nsenter", "--net=/run/netns/" + n.space(name), cmd.Path}, cmd.Args[1:]...)
	path, err := exec.LookPath("nsenter")
	if err != nil {
		n.t.Fatal(err)
	}
	cmd.Path = path
	return cmd
}

func (n *network) cut(name string)  { n.link(name, "down") }
func (n *network) heal(name string) { n.link(name, "up") }

func (n *network) link(name, state string) {
	n.t.Helper()
	out, err := exec.Command("ip", "-n", n.space("switch"), "link", "set", n.port(name), state).CombinedOutput()
	if err != nil {
		n.t.Fatalf("set %s %s: %v: %s", name, state, err, out)
	}
}
