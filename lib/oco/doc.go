// Package oco is online convex optimization: streams of convex losses, learners that see one a round, and the regret
// of what they did against the best fixed point in hindsight.
package oco
