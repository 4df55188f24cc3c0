#!/bin/bash
# An archive on several nodes of a Slurm cluster: sbatch slurm.sh. Needs Ray 2.49 or later on every node.
#SBATCH --job-name=echo-archive
#SBATCH --nodes=10
#SBATCH --exclusive
#SBATCH --tasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --mem=96G
#SBATCH --time=12:00:00
set -euo pipefail

source "$HOME/echo/bin/activate" # the same echo-rt and Ray on every node

export RAY_USAGE_STATS_ENABLED=0
export RAY_AUTH_MODE=token # other users of these nodes cannot send work to this cluster
RAY_AUTH_TOKEN=$(python -c 'import secrets; print(secrets.token_hex(32))')
export RAY_AUTH_TOKEN

nodes=($(scontrol show hostnames "$SLURM_JOB_NODELIST"))
head=$(srun --nodes=1 --ntasks=1 --nodelist="${nodes[0]}" hostname --ip-address | awk '{print $1}')

# Ray starts on all nodes, echo-rt on the first alone. Submit the same script again to go on where it stopped.
srun --nodes="$SLURM_JOB_NUM_NODES" --ntasks="$SLURM_JOB_NUM_NODES" \
    ray symmetric-run --address "$head:6379" --min-nodes "$SLURM_JOB_NUM_NODES" \
    --num-cpus "$SLURM_CPUS_PER_TASK" --num-gpus "${SLURM_GPUS_ON_NODE:-0}" --disable-usage-stats -- \
    echo-rt archive /data/echo --out /data/results --ray auto
