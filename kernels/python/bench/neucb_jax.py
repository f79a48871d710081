"""NeuSquareCB's regression on a bandit of the digits' size: `neucb_jax.py round|fused`.

round: a jitted call predicts and one updates, the state donated; fused: all rounds of five games in jax.lax.scan.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import models
import peer

ARMS, FEATURES, WIDTH, SIGNS, ROUNDS, SHORT, SEEDS = 10, 65, 64, 8, 1000, 50, 5
RATE, C, GAMMA = 2.0, 0.01 * WIDTH**-0.25, 10.0

State = dict[str, jax.Array]  # w [features, arms·width], v, shift


def outputs(w: jax.Array, v: jax.Array, x: jax.Array) -> jax.Array:
    return jax.nn.relu(x @ w).reshape(ARMS, WIDTH) @ v / WIDTH**0.5


def predictions(state: State, x: jax.Array) -> jax.Array:
    return outputs(state["w"], state["v"], x) + state["shift"].mean()


def updated(state: State, fixed: State, x: jax.Array, arm: jax.Array, y: jax.Array) -> State:
    out, (gw, gv) = jax.value_and_grad(lambda w, v: outputs(w, v, x)[arm], argnums=(0, 1))(state["w"], state["v"])
    e = out + state["shift"] - y
    pull = C * e / SIGNS
    w = state["w"] - RATE * (e.mean() * gw + (pull @ fixed["signs_w"]).reshape(gw.shape))
    v = state["v"] - RATE * (e.mean() * gv + pull @ fixed["signs_v"])
    shift = C * (fixed["signs_w"] @ (w - fixed["w"]).ravel() + fixed["signs_v"] @ (v - fixed["v"]))
    return {"w": w, "v": v, "shift": shift}


def probabilities(predicted: jax.Array, gamma: jax.Array) -> jax.Array:
    best = jnp.argmin(predicted)
    p = 1 / (ARMS + gamma * (predicted - predicted[best]))
    p = p.at[best].set(0)
    return p.at[best].set(jnp.maximum(0, 1 - p.sum()))


def main() -> None:
    mode = sys.argv[1]
    signs = lambda seed, n: np.where(models.numbers(seed, (SIGNS, n), -1, 1) < 0, -1, 1).astype(np.float32)
    w, v = models.numbers(0, (FEATURES, ARMS * WIDTH), -1.7, 1.7), models.numbers(1, (WIDTH,), -1.7, 1.7)
    fixed = {"w": w, "v": v, "signs_w": signs(2, w.size), "signs_v": signs(3, v.size)}
    t = np.arange(ROUNDS)
    arms = t * t % ARMS
    losses = ((t[:, None] * 7 + np.arange(ARMS) * 3) % 10 // 5).astype(np.float32)
    contexts = models.numbers(4, (ROUNDS, FEATURES), 0, 0.2)
    start = {"w": w, "v": v, "shift": np.zeros(SIGNS, np.float32)}

    predict = jax.jit(predictions)
    update = partial(jax.jit, donate_argnums=0)(updated)
    on_device = jax.device_put(fixed)

    def rounds(n: int) -> np.ndarray:
        state: Any = jax.tree.map(jnp.array, start)
        predicted = np.zeros(ARMS)
        for i in range(n):
            x = jnp.asarray(contexts[i])
            predicted = np.asarray(predict(state, x))
            state = update(state, on_device, x, arms[i], losses[i, arms[i]])
        return predicted

    @jax.jit
    def scanned(state: State, fixed: State, x: jax.Array, arm: jax.Array, y: jax.Array, gamma: jax.Array) -> Any:
        def step(state: State, row: Any) -> tuple[State, Any]:
            x, arm, y, gamma = row
            predicted = jax.vmap(predictions)(state, x)
            p = jax.vmap(probabilities, in_axes=(0, None))(predicted, gamma)
            y = jnp.take_along_axis(y, arm[:, None], 1)[:, 0]
            return jax.vmap(updated)(state, fixed, x, arm, y), (predicted, p, arm)

        return jax.lax.scan(step, state, (x, arm, y, gamma))

    many = lambda x: np.repeat(np.asarray(x)[None], SEEDS, 0)
    start_of_all, fixed_of_all = jax.device_put((jax.tree.map(many, start), jax.tree.map(many, fixed)))

    def games(n: int) -> np.ndarray:
        each = lambda x: np.repeat(x[:n, None], SEEDS, 1)
        gamma = (GAMMA * np.sqrt(t[:n] + 1)).astype(np.float32)
        _, traces = scanned(start_of_all, fixed_of_all, each(contexts), each(arms), each(losses), gamma)
        return np.asarray(jax.device_get(traces)[0])[-1, -1]

    play = {"round": rounds, "fused": games}[mode]

    def sample() -> int:
        play(ROUNDS)
        return ROUNDS

    check = play(SHORT)
    sample()
    peer.serve(["jax", "jaxlib"], check.tolist(), sample)


main()
