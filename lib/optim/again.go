package optim

import "slices"

// usesAgain says whether t, or a part of it, asks for the loss at other weights: whether it has a method
// UsesAgain() bool that says so. Hosts that cannot give the loss refuse such a transform when they are made.
func usesAgain(t Transform) bool {
	u, ok := t.(interface{ UsesAgain() bool })
	return ok && u.UsesAgain()
}

// UsesAgain says whether a part asks for the loss at other weights.
func (c Chain) UsesAgain() bool { return slices.ContainsFunc(c, usesAgain) }

// UsesAgain says whether Inner asks for the loss at other weights.
func (f SkipNonFinite) UsesAgain() bool { return usesAgain(f.Inner) }

// UsesAgain says whether a group asks for the loss at other weights.
func (p Partition) UsesAgain() bool {
	return slices.ContainsFunc(p, func(g Group) bool { return usesAgain(g.Transform) })
}
