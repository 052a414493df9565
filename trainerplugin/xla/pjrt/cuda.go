package pjrt

import (
	"fmt"
	"os"
	"path/filepath"
)

// cudaLibraries are what XLA's plugin for NVIDIA GPUs takes by name alone, in
// the order in which they need each other, with the folders of NVIDIA's packages
// that have them: "cu13" has all of CUDA 13, CUDA 12 has a folder for each.
var cudaLibraries = []struct{ folder, library string }{
	{"cuda_runtime", "libcudart.so.12"}, {"cu13", "libcudart.so.13"},
	{"cuda_nvrtc", "libnvrtc.so.12"}, {"cu13", "libnvrtc.so.13"}, // cuDNN wants it
	{"cublas", "libcublas.so.12"}, {"cublas", "libcublasLt.so.12"},
	{"cu13", "libcublas.so.13"}, {"cu13", "libcublasLt.so.13"},
	{"cuda_cupti", "libcupti.so.12"}, {"cu13", "libcupti.so.13"},
	{"nvjitlink", "libnvJitLink.so.12"}, {"cu13", "libnvJitLink.so.13"}, // cuSPARSE wants it
	{"cusparse", "libcusparse.so.12"}, {"cu13", "libcusparse.so.12"},
	{"cusolver", "libcusolver.so.11"}, {"cu13", "libcusolver.so.12"},
	{"cufft", "libcufft.so.11"}, {"cu13", "libcufft.so.12"},
	{"nccl", "libnccl.so.2"},
	{"nvshmem", "libnvshmem_host.so.3"},
	{"cudnn", "libcudnn.so.9"},
}

// packagesOf returns the folder of Python packages that a plugin lies in, two
// folders up from its own, and false where there is none of NVIDIA's beside it.
func packagesOf(plugin string) (string, bool) {
	root := filepath.Dir(filepath.Dir(filepath.Dir(plugin)))
	info, err := os.Stat(filepath.Join(root, "nvidia"))
	return root, err == nil && info.IsDir()
}

// PreloadCUDA loads NVIDIA's libraries from the packages beside plugin, by their
// paths, so that the plugin finds them whatever LD_LIBRARY_PATH says. It does
// nothing where there are none. Problems are libraries that are there and cannot
// be loaded; the plugin may do without, or find others.
func PreloadCUDA(plugin string) (problems []error) {
	root, ok := packagesOf(plugin)
	if !ok {
		return nil
	}
	for _, l := range cudaLibraries {
		path := filepath.Join(root, "nvidia", l.folder, "lib", l.library)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		if err := Preload(path); err != nil {
			problems = append(problems, fmt.Errorf("load %s: %w", l.library, err))
		}
	}
	return problems
}

// CUDADataDir is where XLA finds libdevice and ptxas, for its option
// xla_gpu_cuda_data_dir: in the packages beside plugin, or in an installation of
// the system. It is "" where neither is there.
func CUDADataDir(plugin string) string {
	var candidates []string
	if root, ok := packagesOf(plugin); ok {
		candidates = append(candidates, filepath.Join(root, "nvidia", "cu13"), filepath.Join(root, "nvidia", "cuda_nvcc"))
	}
	candidates = append(candidates, "/usr/local/cuda")
	for _, dir := range candidates {
		if _, err := os.Stat(filepath.Join(dir, "nvvm", "libdevice", "libdevice.10.bc")); err == nil {
			return dir
		}
	}
	return ""
}
