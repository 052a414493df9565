package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v3"
)

// A manifest is what this test reads of an object of Kubernetes.
type manifest struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct{ Name, Namespace string }
	Spec       struct {
		Selector struct {
			MatchLabels map[string]string `yaml:"matchLabels"`
		}
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				SecurityContext map[string]any `yaml:"securityContext"`
				Grace           int            `yaml:"terminationGracePeriodSeconds"`
				Containers      []struct {
					Name, Image  string
					Args         []string
					Liveness     any `yaml:"livenessProbe"`
					VolumeMounts []struct {
						Name      string
						MountPath string `yaml:"mountPath"`
					} `yaml:"volumeMounts"`
				}
				Volumes []struct{ Name string }
			}
		}
		Claims []struct{ Metadata struct{ Name string } } `yaml:"volumeClaimTemplates"`
	}
}

// TestKubernetesExample reads docs/kubernetes.yaml: each object has what the API
// wants, each container's arguments are sweep's, every mount has its volume, and
// server and workers see the trials' folder under one path, as one user.
func TestKubernetesExample(t *testing.T) {
	text, err := os.ReadFile("../../docs/kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var workloads []manifest
	for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var m manifest
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if m.APIVersion == "" || m.Kind == "" || m.Metadata.Name == "" || m.Metadata.Namespace != "sweep" {
			t.Errorf("%+v is no object of the namespace", m)
		}
		if m.Kind == "StatefulSet" || m.Kind == "Deployment" {
			workloads = append(workloads, m)
		}
	}
	if len(workloads) != 2 {
		t.Fatalf("%d workloads; want the record's and the workers'", len(workloads))
	}
	var users []map[string]any
	for _, m := range workloads {
		pod := m.Spec.Template.Spec
		if len(m.Spec.Selector.MatchLabels) == 0 || !reflect.DeepEqual(m.Spec.Selector.MatchLabels, m.Spec.Template.Metadata.Labels) {
			t.Errorf("%s selects %v, and its pods have %v", m.Metadata.Name, m.Spec.Selector.MatchLabels, m.Spec.Template.Metadata.Labels)
		}
		var volumes []string
		for _, v := range pod.Volumes {
			volumes = append(volumes, v.Name)
		}
		for _, c := range m.Spec.Claims {
			volumes = append(volumes, c.Metadata.Name)
		}
		c := pod.Containers[0]
		accepted(t, c.Args)
		if c.Liveness != nil {
			t.Errorf("%s is killed when Temporal is away", c.Name)
		}
		shared := false
		for _, mount := range c.VolumeMounts {
			if !slices.Contains(volumes, mount.Name) {
				t.Errorf("%s mounts %s, which is none of %v", c.Name, mount.Name, volumes)
			}
			shared = shared || mount.Name == "trials" && mount.MountPath == "/record/results.d/trials"
		}
		if !shared {
			t.Errorf("%s does not see the trials' folder at the server's path: %+v", c.Name, c.VolumeMounts)
		}
		users = append(users, pod.SecurityContext)
	}
	if len(users[0]) == 0 || !reflect.DeepEqual(users[0], users[1]) {
		t.Errorf("server and workers run as %v and %v; want one user", users[0], users[1])
	}
}

// TestClusterCommands looks at the shell of docs/cluster.md: bash can read it, and
// sweep has the flags that it is called with.
func TestClusterCommands(t *testing.T) {
	text, err := os.ReadFile("../../docs/cluster.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(text, -1)
	calls := 0
	for _, block := range blocks {
		check := exec.Command("bash", "-n")
		check.Stdin = bytes.NewReader(block[1])
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%v: %s\n%s", err, out, block[1])
		}
		for line := range strings.Lines(string(block[1])) {
			words := strings.Fields(strings.TrimPrefix(line, "exec "))
			if len(words) > 1 && words[0] == "sweep" {
				calls++
				accepted(t, words[1:])
			}
		}
	}
	if len(blocks) < 3 || calls < 2 {
		t.Errorf("found %d blocks and %d calls of sweep: the search is broken", len(blocks), calls)
	}
}

// accepted checks that args are a verb of sweep and flags which that has.
func accepted(t *testing.T, args []string) {
	t.Helper()
	app := newApp(io.Discard, io.Discard)
	at := slices.IndexFunc(app.Commands, func(c *cli.Command) bool { return c.HasName(args[0]) })
	if at < 0 {
		t.Errorf("there is no `sweep %s`", args[0])
		return
	}
	var names []string
	for _, f := range app.Commands[at].Flags {
		names = append(names, f.Names()...)
	}
	for _, arg := range args[1:] {
		name, isFlag := strings.CutPrefix(arg, "--")
		name, _, _ = strings.Cut(name, "=")
		if isFlag && !slices.Contains(names, name) {
			t.Errorf("`sweep %s` has no flag --%s", args[0], name)
		}
	}
}
