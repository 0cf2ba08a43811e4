"""How many words name what a shell command does: of ``npm run dev -- -p 1`` three, so that "always"
remembers ``npm run dev *``."""

from collections.abc import Sequence

# Words that begin a command, by how many words then count.
_WORDS: dict[int, str] = {
    1: """
        cat, cd, chmod, chown, cp, echo, env, export, grep, kill, killall, ln, ls, mkdir, mv, ps,
        pwd, rm, rmdir, sleep, source, tail, touch, unset, which
    """,
    2: """
        bazel, brew, bun, cargo, cdk, cf, cmake, composer, consul, crictl, deno, docker, eksctl,
        firebase, flyctl, git, go, gradle, helm, heroku, hugo, ip, kind, kubectl, kustomize, make,
        mc, minikube, mongosh, mysql, mvn, ng, npm, nvm, nx, openssl, pip, pipenv, pnpm, poetry,
        podman, psql, pulumi, pyenv, python, rake, rbenv, redis-cli, rustup, serverless, skaffold,
        sls, sst, swift, systemctl, terraform, tmux, turbo, ufw, vault, vercel, volta, wp, yarn
    """,
    3: """
        aws, az, doctl, gcloud, gh, sfdx, bun run, bun x, cargo add, cargo run, consul kv,
        deno task, docker builder, docker compose, docker container, docker image, docker network,
        docker volume, eksctl create, git config, git remote, git stash, ip addr, ip link,
        ip netns, ip route, kind create, kubectl kustomize, kubectl rollout, mc admin, npm exec,
        npm init, npm run, npm view, openssl req, openssl x509, pnpm dlx, pnpm exec, pnpm run,
        podman container, podman image, pulumi stack, terraform workspace, vault auth, vault kv,
        yarn dlx, yarn run
    """,
}
_ARITY = {
    " ".join(words.split()): count for count, table in _WORDS.items() for words in table.split(",")
}
_LONGEST = 2
"""Words in the longest beginning the table knows."""


def prefix(tokens: Sequence[str]) -> Sequence[str]:
    """The words that name what a command does, by the longest beginning that is known; its first
    word where nothing is known of it. Flags count as words."""
    for count in range(min(_LONGEST, len(tokens)), 0, -1):
        arity = _ARITY.get(" ".join(tokens[:count]))
        if arity is not None:
            return tokens[:arity]
    return tokens[:1]
