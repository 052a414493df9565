package trainerplugin

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
)

// A program is a command, and the file in it whose content is vouched for by a
// digest.
type program struct {
	command []string
	digest  string   // hex; "" if nothing is verified
	file    *os.File // the verified file, open; nil if nothing is verified
	at      int      // which element of command the file is
}

// openProgram finds the file in command that has the digest: the executable,
// or a script that an interpreter is given. The file stays open and is run
// through its descriptor, so that a path that is pointed elsewhere meanwhile
// changes nothing.
func openProgram(command []string, digest string) (*program, error) {
	path, err := exec.LookPath(command[0])
	if err != nil {
		return nil, absentError{fmt.Errorf("trainer: %w", err)}
	}
	p := &program{command: append([]string{path}, command[1:]...)}
	if digest == "" {
		return p, nil
	}
	p.digest = strings.TrimPrefix(strings.ToLower(digest), "sha256:")
	if raw, err := hex.DecodeString(p.digest); err != nil || len(raw) != sha256.Size {
		return nil, fmt.Errorf("trainer: sha256: %q is not 64 hexadecimal digits; `sha256sum FILE` prints them", digest)
	}
	return p, p.open()
}

// Find reports whether this machine has the trainer that would be launched, as
// [LaunchOptions] names it. If not, the error wraps [ErrAbsent].
func Find(command []string, digest string) error {
	p, err := openProgram(command, digest)
	if err != nil {
		return err
	}
	return p.close()
}

// open looks through the command for the file with the digest.
func (p *program) open() error {
	var seen []string
	for i, name := range p.command {
		f, err := openRegular(name)
		if err != nil {
			continue // an option, say
		}
		sum, err := digestOf(f)
		if err != nil {
			return fmt.Errorf("trainer: digest of %s: %w", name, errors.Join(err, f.Close()))
		}
		if sum == p.digest {
			p.file, p.at = f, i
			return nil
		}
		if err := f.Close(); err != nil {
			return fmt.Errorf("trainer: close %s: %w", name, err)
		}
		seen = append(seen, name+" has "+sum)
	}
	return absentError{fmt.Errorf("trainer: no file of the command has the sha256 %s (%s); nothing was run: give the digest of the trainer that you mean to use",
		p.digest, strings.Join(seen, ", "))}
}

// absentError is an error that wraps [ErrAbsent] and says what is absent.
type absentError struct{ error }

func (absentError) Is(target error) bool { return target == ErrAbsent }
func (e absentError) Unwrap() error      { return e.error }

func openRegular(name string) (*os.File, error) {
	info, err := os.Stat(name) // before opening: a named pipe would block
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrInvalid
	}
	if err != nil {
		return nil, err
	}
	return os.Open(name)
}

func digestOf(f io.ReadSeeker) (string, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// recheck says whether the verified file was written to while it was started:
// opening a file keeps its path from being exchanged, not its content. The
// system refuses to write to an executable that is running, and an interpreter
// has read its script by the time it answers.
func (p *program) recheck() error {
	if p.file == nil {
		return nil
	}
	sum, err := digestOf(p.file)
	if err != nil {
		return fmt.Errorf("trainer: digest of %s: %w", p.command[p.at], err)
	}
	if sum != p.digest {
		return fmt.Errorf("trainer: %s was changed while it was being started: its sha256 is now %s, not %s", p.command[p.at], sum, p.digest)
	}
	return nil
}

func (p *program) close() error {
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}
