//go:build !unix

package trainerplugin

import (
	"os"
	"os/exec"
	"strconv"
)

func detach(*exec.Cmd)             {}
func killed(*os.ProcessState) bool { return false }
func resume(*os.Process)           {}
func killGroup(p *os.Process)      { _ = p.Kill() }

func signalText(n int) string { return "signal " + strconv.Itoa(n) }
