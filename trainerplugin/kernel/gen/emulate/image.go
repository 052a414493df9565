//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const imageName = "boot.iso"

// bootConfig leaves out what an emulated computer does slowly and the tests do
// not need. Bochs 2.7 states the size of compacted processor state wrongly, and
// Linux would then switch AVX off: it must not use XSAVEC (321) and XSAVES (323).
const bootConfig = `default tests
prompt 0
label tests
 kernel vmlinuz
 append initrd=initrd console=ttyS0 clearcpuid=321,323 reboot=t nokaslr mitigations=off acpi=off noapic nolapic_timer lpj=400000 loglevel=4 audit=0 apparmor=0 random.trust_cpu=on
`

// debianKernel downloads the kernel that Debian's metapackage for clouds
// stands for and returns its image.
func debianKernel(dir string) (string, error) {
	depends, err := output(dir, "apt-cache", "depends", "linux-image-cloud-amd64")
	if err != nil {
		return "", err
	}
	_, name, found := strings.Cut(depends, "Depends: ")
	if !found {
		return "", errors.New("apt-cache knows no linux-image-cloud-amd64: run apt-get update, or give an image by -kernel")
	}
	name = strings.Fields(name)[0]
	if _, err := output(dir, "apt-get", "download", name); err != nil {
		return "", err
	}
	debs, err := filepath.Glob(filepath.Join(dir, name+"_*.deb"))
	if err != nil || len(debs) != 1 {
		return "", fmt.Errorf("apt-get download %s left %v", name, debs)
	}
	if _, err := output(dir, "dpkg-deb", "-x", debs[0], "linux"); err != nil {
		return "", err
	}
	images, err := filepath.Glob(filepath.Join(dir, "linux/boot/vmlinuz-*"))
	if err != nil || len(images) != 1 {
		return "", fmt.Errorf("%s holds %v", name, images)
	}
	return images[0], nil
}

// buildImage makes a disc that boots the kernel with the tests in its first
// file system. It is run in the module of the generator.
func buildImage(dir, kernel, path string, chosen []job) error {
	boot := filepath.Join(dir, "disc", "isolinux")
	if err := os.MkdirAll(boot, 0o700); err != nil {
		return err
	}
	initrd, err := initialFiles(dir, path, chosen)
	if err != nil {
		return err
	}
	files := map[string][]byte{"initrd": initrd, "isolinux.cfg": []byte(bootConfig)}
	for name, from := range map[string]string{"vmlinuz": kernel, "isolinux.bin": loader, "ldlinux.c32": loaderCore} {
		if files[name], err = os.ReadFile(from); err != nil {
			return err
		}
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(boot, name), b, 0o600); err != nil {
			return err
		}
	}
	_, err = output(dir, "xorriso", "-as", "mkisofs", "-quiet", "-o", imageName, "-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat",
		"-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", "disc")
	return err
}

// initialFiles is an archive of this program as /init, the test binaries and
// the corpora of their fuzz targets.
func initialFiles(dir, path string, chosen []job) ([]byte, error) {
	var a archive
	for _, d := range []string{"dev", "proc", "tmp"} {
		a.add(d, fs.ModeDir|0o755, nil)
	}
	if err := a.addProgram(dir, ".", "init", "build", "./emulate"); err != nil {
		return nil, err
	}
	var list strings.Builder
	for _, j := range chosen {
		fmt.Fprintln(&list, path, j.pkg, j.run)
		if err := a.addProgram(dir, "../../..", j.pkg+".test", "test", "-c", "./trainerplugin/"+j.pkg); err != nil {
			return nil, err
		}
		a.add(j.pkg, fs.ModeDir|0o755, nil)
		if err := a.addTree(filepath.Join("../..", j.pkg), j.pkg, "testdata"); err != nil {
			return nil, err
		}
	}
	a.add("jobs", 0o644, []byte(list.String()))
	a.add("TRAILER!!!", 0, nil)
	return a.Bytes(), nil
}

// archive is a cpio archive of the kind that Linux starts from: format newc of
// the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
type archive struct {
	bytes.Buffer
	files int
}

func (a *archive) add(name string, mode fs.FileMode, data []byte) {
	const directory, regular = 0o040000, 0o100000
	kind := regular
	if mode.IsDir() {
		kind = directory
	}
	a.files++
	const owner, group, links, modified, none, check = 0, 0, 1, 0, 0, 0
	fmt.Fprintf(a, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00", a.files, kind|int(mode.Perm()),
		owner, group, links, modified, len(data), none, none, none, none, len(name)+1, check, name)
	a.pad()
	a.Write(data)
	a.pad()
}

func (a *archive) pad() {
	for a.Len()%4 != 0 {
		a.WriteByte(0)
	}
}

// addProgram builds without C, since there is no C library in there.
func (a *archive) addProgram(dir, in, name string, build ...string) error {
	file := filepath.Join(dir, name)
	args := append([]string{build[0], "-o", file}, build[1:]...)
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env, cmd.Stderr = in, append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	a.add(name, 0o755, b)
	return nil
}

// addTree adds the files of from/sub as to/sub, if there are any.
func (a *archive) addTree(from, to, sub string) error {
	tree := os.DirFS(from)
	return fs.WalkDir(tree, sub, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == sub {
			return fs.SkipAll
		} else if err != nil {
			return err
		}
		var b []byte
		if !d.IsDir() {
			if b, err = fs.ReadFile(tree, name); err != nil {
				return err
			}
		}
		a.add(filepath.Join(to, name), d.Type()|0o755, b)
		return nil
	})
}

func output(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, errs.Bytes())
	}
	return string(out), nil
}
