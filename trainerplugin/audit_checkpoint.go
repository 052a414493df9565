package trainerplugin

import (
	"fmt"
	"os"
	"path/filepath"
)

// checkpointed checks an announced checkpoint, its file included.
//
// A trainer in another process runs ahead of its reports, so by now the file
// may have been followed by a newer one of the same name, or removed because
// newer ones exist. Then a newer announcement is on its way: doubt is kept, and
// settled by the next one that is true, or by the end.
func (a *audit) checkpointed(c Checkpoint) error {
	switch {
	case !isFileName(c.File):
		return a.breach("checkpoint %q is no name of a file in the trial's folder", cut(c.File, 80))
	case !isDigest(c.Digest):
		return a.breach("checkpoint %s has the digest %q", c.File, cut(c.Digest, 80))
	case c.Bytes <= 0:
		return a.breach("checkpoint %s has %d bytes", c.File, c.Bytes)
	}
	a.doubt = nil
	if verify(a.job.Dir, c) != nil {
		a.doubt = &c
	}
	return nil
}

// unproven says whether the last checkpoint announced is not there as it
// should be: the trial could not be resumed from it.
func (a *audit) unproven() error {
	if a.doubt == nil {
		return nil
	}
	if err := verify(a.job.Dir, *a.doubt); err != nil {
		return a.breach("the checkpoint that it announced for step %d is not there as it should be: %v", a.doubt.Step, err)
	}
	return nil
}

// verify compares a checkpoint's file with its announcement. A link that leads
// out of the folder is not followed.
func verify(dir string, c Checkpoint) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	info, err := root.Stat(c.File) // before opening: a named pipe would block
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file: %v", c.File, info.Mode())
	}
	if info.Size() != c.Bytes {
		return fmt.Errorf("%s has %d bytes, not %d", c.File, info.Size(), c.Bytes)
	}
	f, err := root.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	sum, err := digestOf(f)
	if err != nil {
		return err
	}
	if "sha256:"+sum != c.Digest {
		return fmt.Errorf("%s has the sha256 %s, not %s", c.File, sum, c.Digest)
	}
	return nil
}

// isFileName accepts a plain name: no folder, no way out of one.
func isFileName(name string) bool {
	return isName(name) && filepath.IsLocal(name) && name == filepath.Base(name) && name != "."
}
