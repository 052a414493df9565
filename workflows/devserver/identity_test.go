package devserver

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// deadIdentity is the identity of a process of this host that has ended.
func deadIdentity(t *testing.T) string {
	t.Helper()
	p := exec.Command(os.Args[0], "-test.run=^$")
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	id := formatIdentity("gpu", p.Process.Pid)
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestDeadHere(t *testing.T) {
	own := Identity("gpu")
	owner, start, _ := cutLast(own, ":")
	owner, pid, _ := cutLast(owner, ":")
	_, host, _ := cutLast(owner, "@")
	for name, c := range map[string]struct {
		identity string
		want     bool
	}{
		"this process":     {own, false},
		"init":             {formatIdentity("gpu", 1), false},
		"an ended process": {deadIdentity(t), true},
		"role with an @":   {strings.Replace(deadIdentity(t), "gpu@", "gpu@a:b@", 1), true},
		"another machine":  {strings.Replace(deadIdentity(t), "@"+host, "@elsewhere:"+bootID(), 1), false},
		"another boot":     {strings.Replace(deadIdentity(t), bootID(), "11111111-2222-3333-4444-555555555555/1", 1), false},
		"no start time":    {owner + ":" + pid, false},
		"pid 0":            {owner + ":0:" + start, false},
		"pid -1":           {owner + ":-1:" + start, false},
		"the SDK's own":    {"12345@" + host + "@", false},
		"empty":            {"", false},
	} {
		if got := DeadHere(c.identity); got != c.want {
			t.Errorf("%s: DeadHere(%q) = %v, want %v", name, c.identity, got, c.want)
		}
	}
}

// Whatever a server sends, only an identity of this boot can be dead.
func FuzzDeadHere(f *testing.F) {
	f.Add(Identity("gpu"))
	f.Add("gpu@host:boot:1:2")
	f.Add("@::-1:18446744073709551616")
	f.Fuzz(func(t *testing.T, identity string) {
		if DeadHere(identity) && !strings.Contains(identity, ":"+bootID()+":") {
			t.Errorf("%q is dead", identity)
		}
		if strings.HasSuffix(identity, fmt.Sprintf(":%d:0", os.Getpid())) && DeadHere(identity) {
			t.Errorf("%q is dead, and is this process", identity)
		}
	})
}
