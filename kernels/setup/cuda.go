package setup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hindsight-go/hindsight/kernels/internal/term"
	"github.com/hindsight-go/hindsight/kernels/kernelspec"
)

// cudaBytes is what the CUDA plugin and NVIDIA's libraries take, with their download.
const cudaBytes = 6e9

// cudaStamp says that the CUDA plugin of a lock file ran a graph on this GPU.
type cudaStamp struct {
	Lock    string `json:"lock"`    // SHA-256 of the lock file
	Python  string `json:"python"`  // version of the interpreter, whose packages they are
	GPUs    string `json:"gpus"`    // as the driver lists them
	Plugins string `json:"plugins"` // folder of the plugin
	Data    string `json:"data"`    // folder of NVIDIA's libraries and compiler
}

// cuda installs XLA for the GPU where one answers. Setup goes on without it: the
// step only warns.
func (s *session) cuda(ctx context.Context, t *term.Task) (outcome, error) {
	gpus, err := s.exec(ctx, command{args: []string{"nvidia-smi", "-L"}})
	if err != nil || !strings.HasPrefix(gpus, "GPU ") {
		return outcome{}, s.removeStamp("cuda")
	}
	lock := s.Root.Join("kernels", "python", "requirements-cuda.txt")
	text, err := os.ReadFile(lock)
	if err != nil {
		return outcome{}, err
	}
	version, _ := s.venvVersion(ctx)
	sum := sha256.Sum256(text)
	want := cudaStamp{Lock: hex.EncodeToString(sum[:]), Python: version.String(), GPUs: strings.TrimSpace(gpus)}
	var have cudaStamp
	if s.readStamp("cuda", &have) && exists(filepath.Join(have.Plugins, cudaPlugin)) {
		want.Plugins, want.Data = have.Plugins, have.Data
		if have == want {
			return there("%s", firstLine(gpus))
		}
	}
	if err := s.removeStamp("cuda"); err != nil {
		return outcome{}, err
	}
	if free, err := s.free(s.Root.Venv()); err == nil && free < cudaBytes {
		return warning("the GPU is not used: its libraries need %.0f GB on the disk of %s, which has %.1f GB left", cudaBytes/1e9, s.Root.Venv(), float64(free)/1e9)
	}
	if err := s.installCUDA(ctx, t, lock, count(text), &want); err != nil {
		if ctx.Err() != nil {
			return outcome{}, ctx.Err()
		}
		if f := new(Fault); errors.As(err, &f) {
			return warning("the GPU is not used: %s", f.What)
		}
		return warning("the GPU is not used: %v", err)
	}
	if err := s.writeStamp("cuda", want); err != nil {
		return outcome{}, err
	}
	return done("ran a graph on %s", firstLine(gpus))
}

// cudaPlugin is the name that go-xla looks for; the wheel has another.
const cudaPlugin = "pjrt_c_api_cuda_plugin.so"

// installCUDA installs the lock's packages, fills in their folders and runs a graph.
func (s *session) installCUDA(ctx context.Context, t *term.Task, lock string, packages int, to *cudaStamp) error {
	if err := s.pip(ctx, t, "The CUDA libraries cannot be installed", packages, "--requirement", lock); err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(s.Root.Venv(), "lib", "python3.*", "site-packages", "jax_plugins", "xla_cuda*", "xla_cuda_plugin.so"))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("setup: %d CUDA plugins in %s, must be 1", len(found), s.Root.Venv())
	}
	to.Plugins = filepath.Dir(found[0])
	to.Data = filepath.Join(to.Plugins, "..", "..", "nvidia", "cu13")
	link := filepath.Join(to.Plugins, cudaPlugin)
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Symlink(filepath.Base(found[0]), link); err != nil {
		return diskFault("the CUDA plugin cannot be linked", link, err)
	}
	t.Note("running a graph")
	r, err := Probe(ctx, s.Root, probeXLA, kernelspec.CUDA(s.Root, s.goBin, to.Plugins, to.Data).Environ(nil)...)
	if err != nil {
		return err
	}
	if r.Problem != nil {
		return errors.New(r.Problem.What)
	}
	return nil
}

// cudaSpec is the kernel for the GPU, where the step above has proved it.
func (s *session) cudaSpec() (kernelspec.Spec, bool) {
	var stamp cudaStamp
	if !s.readStamp("cuda", &stamp) {
		return kernelspec.Spec{}, false
	}
	return kernelspec.CUDA(s.Root, s.goBin, stamp.Plugins, stamp.Data), true
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
