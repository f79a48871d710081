package setup

import (
	"context"

	"github.com/hindsight-go/hindsight/kernels/internal/term"
	"github.com/hindsight-go/hindsight/kernels/kernelspec"
)

func (s *session) cuda(context.Context, *term.Task) (outcome, error) { return outcome{}, nil }

func (s *session) cudaSpec() (kernelspec.Spec, bool) { return kernelspec.Spec{}, false }
