//go:build cells

package kernelspec

// Packages that nothing here imports but cells may: with these lines go.mod
// requires what they rest on, so that setup downloads it and any package of the
// modules in go.mod's first block compiles without a network. The tag keeps them
// out of every build.
import (
	_ "github.com/gomlx/gomlx/ml/layers/bspline"
	_ "github.com/gomlx/gomlx/support/testutil"
	_ "github.com/gomlx/gomlx/ui/commandline"
	_ "github.com/gomlx/gomlx/ui/gonb/margaid"
	_ "github.com/gomlx/gomlx/ui/gonb/plotly"
	_ "github.com/spf13/cobra/doc"
	_ "github.com/stretchr/testify/mock"
	_ "gonum.org/v1/plot/cmpimg"
)
