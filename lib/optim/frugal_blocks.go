package optim

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// Blocks makes whole tensors state-full, round(ρ·tensors) of them at a time: the paper's main experiments, and BAdam's way.
//
// The state of the active tensors lies in one vector, "blocks", which is as long as the largest set that the order ever
// selects: with tensors of unequal sizes that may be more than ρ times their sum, and what the set at hand leaves is unused.
// For [RandomOrder] that is the sum of the largest tensors.
type Blocks struct {
	Order BlockOrder // default Descending
	// MinActive is the least number of active tensors where the density is not 0, at least 0. Default 0: few tensors
	// may have none.
	MinActive int
}

// BlockOrder says which tensors come after which. Their list is in the order of paths, where the layers of one block are
// in the order in which data meets them: queries, keys, values, outputs, and gate, up, down.
type BlockOrder int

const (
	// Descending goes from the last tensor backwards, and around: the reference's for pre-training.
	Descending BlockOrder = iota
	// Ascending goes from the first on, and around.
	Ascending
	// Mirror takes pairs from both ends inwards, and around: the number of active tensors must be even.
	Mirror
	// RandomOrder draws a permutation for each selection and takes its first.
	RandomOrder
)

var _ Selector = Blocks{}

func (b Blocks) String() string {
	return fmt.Sprintf("blocks, %s", []string{"descending", "ascending", "mirror", "random"}[b.Order])
}

func (b Blocks) validate() error {
	c := check("Blocks")
	if b.Order < Descending || b.Order > RandomOrder {
		c.add("Order is %d, must be Descending, Ascending, Mirror or RandomOrder", b.Order)
	}
	c.least("MinActive", float64(b.MinActive), 0)
	return c.join()
}

// layerOrder are the usual names of a block's layers, in the order in which data meets them.
var layerOrder = []string{"q_proj", "query", "k_proj", "key", "v_proj", "value", "qkv_proj", "o_proj", "gate_proj", "up_proj", "intermediate", "down_proj", "output"}

// networkOrder lists the parameters' numbers in the network's order.
func networkOrder(params []Param) []int {
	layer := func(path string) (block string, layer int) {
		elements := strings.Split(path, "/")
		for i, e := range elements {
			if k := slices.Index(layerOrder, e); k >= 0 {
				return strings.Join(elements[:i], "/"), k
			}
		}
		return path, 0
	}
	out := make([]int, len(params))
	for i := range out {
		out[i] = i
	}
	slices.SortStableFunc(out, func(i, k int) int {
		blockI, layerI := layer(params[i].Path)
		blockK, layerK := layer(params[k].Path)
		if c := strings.Compare(blockI, blockK); c != 0 {
			return c
		}
		return layerI - layerK
	})
	return out
}

// sequence is the order's list, which every selection goes on in.
func (o BlockOrder) sequence(params []Param) []int {
	list := networkOrder(params)
	switch o {
	case Descending:
		slices.Reverse(list)
	case Mirror:
		mirrored := make([]int, 0, len(list))
		for i, k := 0, len(list)-1; i <= k; i, k = i+1, k-1 {
			mirrored = append(mirrored, list[i])
			if i < k {
				mirrored = append(mirrored, list[k])
			}
		}
		return mirrored
	}
	return list
}

func (b Blocks) split(params []Param, density float64, seed int64) splitter {
	active := rounded(len(params), density)
	if density > 0 {
		active = min(max(active, b.MinActive), len(params))
	}
	if b.Order == Mirror && active%2 == 1 {
		panic(fmt.Errorf("optim: Blocks: Order is Mirror with %d active tensors of %d, must be an even number", active, len(params)))
	}
	out := blocks{Blocks: b, params: params, active: active, seed: seed, sequence: b.Order.sequence(params)}
	for _, p := range params {
		if p.Value.DType() != params[0].Value.DType() {
			panic(errors.New("optim: Blocks: the projectable tensors are of different types, must be of one"))
		}
		out.row = gcd(out.row, p.Shape().Size())
	}
	at := 0
	for _, p := range params {
		out.offsets = append(out.offsets, at)
		out.rows = append(out.rows, p.Shape().Size()/out.row)
		at += p.Shape().Size() / out.row
	}
	out.total, out.capacity = at, out.largest()
	return out
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// blocks holds the active tensors one after the other. All tensors are seen as rows of one length, the greatest that divides
// every size, so that what moves is rows.
type blocks struct {
	Blocks
	forgetful
	params               []Param
	active               int
	seed                 int64
	sequence             []int
	row, total, capacity int // length of a row; rows of all tensors, and of the state
	offsets, rows        []int
}

// largest is the number of rows of the largest set that is ever active.
func (b blocks) largest() (most int) {
	if b.Order == RandomOrder {
		sorted := slices.Sorted(slices.Values(b.rows))
		for _, n := range sorted[len(sorted)-b.active:] {
			most += n
		}
		return most
	}
	n := len(b.params)
	for k, at := 0, 0; k < n; k, at = k+1, (at+b.active)%n { // after n selections they repeat
		sum := 0
		for i := range b.active {
			sum += b.rows[b.sequence[(at+i)%n]]
		}
		most = max(most, sum)
	}
	return most
}

func (b blocks) lead() int { return b.params[0].Lead }

func (b blocks) parts() []part {
	if b.active == 0 {
		return nil
	}
	lead := b.params[0].Value.Shape().Dimensions[:b.lead():b.lead()]
	return []part{{"blocks", b.lead(), shapes.Make(b.params[0].Value.DType(), append(lead, b.capacity*b.row)...)}}
}

func (b blocks) choose(c clock, _, _ []*graph.Node) choice {
	if b.active == 0 {
		return nil
	}
	return b.draw(c, nil)
}

// draw finds for each row of the state where it comes from: the row behind the last where it is unused.
func (b blocks) draw(c clock, earlier *graph.Node) choice {
	g := c.number.Graph()
	ints := func(list []int) *graph.Node {
		out := make([]int32, len(list))
		for i, v := range list {
			out[i] = int32(v)
		}
		return graph.Const(g, out)
	}
	lookup := func(table []int, at *graph.Node) *graph.Node {
		return graph.Gather(ints(table), graph.InsertAxes(at, -1))
	}
	slots := graph.Iota(g, shapes.Make(dtypes.Int32, b.active), 0)
	var tensors *graph.Node // the active ones, slot by slot
	if n := len(b.params); b.Order == RandomOrder {
		_, tensors = graph.BottomK(after(scan.Words(b.seed, c.number, []string{"blocks"}, []int{n})[0], earlier), b.active, 0)
	} else {
		size := graph.Scalar(g, dtypes.Int64, n)
		start := graph.Mod(graph.MulScalar(graph.Mod(c.number, size), b.active), size)
		at := graph.Add(graph.ConvertDType(start, dtypes.Int32), slots)
		tensors = lookup(b.sequence, graph.Mod(at, graph.Scalar(g, dtypes.Int32, n)))
	}
	lengths := lookup(b.rows, tensors)
	square := shapes.Make(dtypes.Int32, b.active, b.active)
	before := graph.LessThan(graph.Iota(g, square, 1), graph.Iota(g, square, 0))
	wide := graph.BroadcastToShape(graph.InsertAxes(lengths, 0), square)
	starts := graph.ReduceSum(graph.Where(before, wide, graph.ZerosLike(wide)), 1)

	grid := shapes.Make(dtypes.Int32, b.capacity, b.active)
	across := func(x *graph.Node) *graph.Node { return graph.BroadcastToShape(graph.InsertAxes(x, 0), grid) }
	from := graph.Sub(graph.Iota(g, grid, 0), across(starts))
	inside := graph.LogicalAnd(graph.GreaterOrEqual(from, graph.ZerosLike(from)), graph.LessThan(from, across(lengths)))
	// Counted down from the row behind the last, so that rows in no slot stay there.
	source := graph.AddScalar(graph.Add(from, across(lookup(b.offsets, tensors))), -b.total)
	rows := graph.ReduceSum(graph.Where(inside, source, graph.ZerosLike(source)), 1)
	return choice{graph.AddScalar(rows, b.total)}
}

func (b blocks) before(c clock, now choice, _ []*graph.Node) choice {
	return b.draw(c.earlier(), now[0])
}

// rowsOf is the shape of n rows, with runs in front.
func (b blocks) rowsOf(n int) []int {
	return append(b.params[0].Value.Shape().Dimensions[:b.lead():b.lead()], n, b.row)
}

func (b blocks) down(c choice, tensors []*graph.Node) []*graph.Node {
	flat := each(tensors, func(i int, t *graph.Node) *graph.Node { return graph.Reshape(t, b.rowsOf(b.rows[i])...) })
	flat = append(flat, graph.Zeros(tensors[0].Graph(), shapes.Make(tensors[0].DType(), b.rowsOf(1)...)))
	low := take(graph.Concatenate(flat, b.lead()), c[0], b.lead())
	return []*graph.Node{graph.Reshape(low, b.parts()[0].shape.Dimensions...)}
}

func (b blocks) up(c choice, low []*graph.Node) []*graph.Node {
	full := spread(graph.Reshape(low[0], b.rowsOf(b.capacity)...), c[0], b.lead(), b.total+1, false)
	out := make([]*graph.Node, len(b.params))
	for i, p := range b.params {
		axes := make([]graph.SliceAxisSpec, b.lead(), b.lead()+1)
		for a := range axes {
			axes[a] = graph.AxisRange()
		}
		rows := graph.Slice(full, append(axes, graph.AxisRange(b.offsets[i], b.offsets[i]+b.rows[i]))...)
		out[i] = graph.Reshape(rows, p.Value.Shape().Dimensions...)
	}
	return out
}

func (b blocks) move(from, to choice, low []*graph.Node, _ bool) []*graph.Node {
	return b.down(to, b.up(from, low))
}
