package trainerplugin

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	pb "sweep/trainerplugin/trainerpb"
)

// trainerpb says what trainer.proto says; if not, `go generate ./trainerpb`.
func TestGeneratedCodeIsCurrent(t *testing.T) {
	protoc, err := exec.LookPath("protoc")
	if err != nil {
		t.Skip("SKIPPED: trainerpb was not compared with trainer.proto: no protoc; Debian has it in protobuf-compiler")
	}
	file := filepath.Join(t.TempDir(), "set")
	if out, err := exec.Command(protoc, "--descriptor_set_out="+file, "trainer.proto").CombinedOutput(); err != nil {
		t.Fatalf("protoc: %v\n%s", err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	if got := protodesc.ToFileDescriptorProto(pb.File_trainer_proto); len(set.File) != 1 || !proto.Equal(got, set.File[0]) {
		t.Errorf("trainerpb is not what protoc makes of trainer.proto: run `go generate ./trainerplugin/trainerpb`\n got %v\nwant %v", got, set.File)
	}
}
