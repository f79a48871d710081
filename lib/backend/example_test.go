package backend_test

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/hindsight-go/hindsight/lib/backend"
)

func ExampleOpen() {
	b, err := backend.Open(backend.With(backend.PureGo)) // backend.Open() takes the best one
	if err != nil {
		fmt.Println(err)
		return
	}
	y, err := ExecOnce(b, func(x *Node) *Node { return ReduceAllSum(Square(x)) }, []float32{1, 2, 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(backend.Describe(b).Title, y.Value())
	// Output: pure Go 14
}
