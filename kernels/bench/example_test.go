package bench_test

import (
	"fmt"

	"github.com/hindsight-go/hindsight/kernels/bench"
)

func ExampleChoose() {
	chosen, err := bench.Choose([]string{"mlp-fused"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, b := range chosen {
		fmt.Printf("%s: at most %.2f times %s\n", b.Name, b.Target, b.Peer)
	}
	// Output: mlp-fused: at most 1.15 times JAX
}
