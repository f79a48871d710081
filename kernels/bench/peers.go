package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/internal/term"
	"github.com/hindsight-go/hindsight/kernels/setup"
)

// environment is where a peer lives: an environment of its own in .venv-bench.
func environment(root repo.Root, p Peer) setup.Environment {
	e := setup.Environment{Name: p.String()}
	switch p {
	case JAX, NumPy:
		e.Name = JAX.String()
		e.Root = root.WithPrefix(filepath.Join(".venv-bench", "jax"))
		e.Lock = root.Join("kernels", "python", "requirements-bench.txt")
		e.Proof = "import jax, optax; jax.numpy.ones(1).block_until_ready(); print('JAX', jax.__version__, 'with optax', optax.__version__)"
		e.Bytes = 1.5e9
	case Torch:
		e.Root = root.WithPrefix(filepath.Join(".venv-bench", "torch"))
		e.Lock = root.Join("kernels", "python", "requirements-bench-torch.txt")
		e.Proof = "import torch; torch.ones(1).add(1); print('PyTorch', torch.__version__)"
		e.Bytes = 9e9
	}
	return e
}

// ready makes the environments of the peers that these benchmarks need, and returns
// why a peer is not available. PyTorch comes with gigabytes of NVIDIA's libraries, so
// it is installed only where torch asks for it.
func ready(ctx context.Context, root repo.Root, benchmarks []Benchmark, torch bool, out *term.Progress) (map[Peer]error, error) {
	missing := map[Peer]error{}
	asked := map[Peer]bool{Nobody: true, Ourselves: true, Scaling: true}
	for _, b := range benchmarks {
		if asked[b.Peer] {
			continue
		}
		asked[b.Peer] = true
		e := environment(root, b.Peer)
		if b.Peer == Torch && !torch && !e.Made() {
			missing[b.Peer] = errors.New("it is not installed; --torch installs it (on Linux 2.5 GB to load, 5.4 GB on the disk)")
			continue
		}
		err := e.Ensure(ctx, out)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if f := new(setup.Fault); errors.As(err, &f) {
			err = fmt.Errorf("%s %s", f.What, f.Cure)
		}
		if err != nil {
			missing[b.Peer] = err
		}
	}
	return missing, nil
}
