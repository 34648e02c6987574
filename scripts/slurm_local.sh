#!/usr/bin/env bash
# A SLURM of one machine for tests: two nodes with a fake GPU each, on loopback, without systemd.
#
#   eval "$(scripts/slurm_local.sh up)"    start it, and set SLURM_CONF and PATH to use it
#   scripts/slurm_local.sh status          its nodes
#   scripts/slurm_local.sh kill-node n1    end a node and all that runs on it, at once
#   scripts/slurm_local.sh node n1         start it again
#   scripts/slurm_local.sh down            end its processes; the folder stays for a look at the logs
#
# Needs root and Debian's slurmctld, slurmd, slurm-client and munge (`install` gets them). Everything
# is in $SLURM_LOCAL (/tmp/slurm_local); every wait is bounded; what runs already is left as it is.
set -euo pipefail

DIR=${SLURM_LOCAL:-/tmp/slurm_local}
NODES=${SLURM_LOCAL_NODES:-2}
PORT=${SLURM_LOCAL_PORT:-26900}
HOST=$(hostname -s)
export SLURM_CONF=$DIR/slurm.conf

say() { echo "$*" >&2; }
alive() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }

wait_for() { # seconds, command ...
  local tries=$(($1 * 5))
  shift
  for ((i = 0; i < tries; i++)); do
    "$@" >/dev/null 2>&1 && return 0
    sleep 0.2
  done
  return 1
}

write_conf() {
  mkdir -p "$DIR"/{state,log,run,bin} && chmod 755 "$DIR" "$DIR"/*
  [ -s "$DIR/munge.key" ] || (umask 077 && head -c 1024 /dev/urandom >"$DIR/munge.key")
  cat >"$SLURM_CONF" <<CONF
ClusterName=local
SlurmctldHost=$HOST(127.0.0.1)
SlurmctldPort=$PORT
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
# A requeued job may start again when its credentials have expired.
AuthInfo=socket=$DIR/run/munge.sock,cred_expire=5
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPidFile=$DIR/run/slurmctld.pid
SlurmdPidFile=$DIR/run/slurmd.%n.pid
SlurmctldLogFile=$DIR/log/slurmctld.log
SlurmdLogFile=$DIR/log/slurmd.%n.log
StateSaveLocation=$DIR/state
SlurmdSpoolDir=$DIR/run/spool.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=1,batch_sched_delay=1
GresTypes=gpu
ReturnToService=2
SlurmdTimeout=${SLURM_LOCAL_NODE_TIMEOUT:-10}
KillWait=10
# The end of a job's time is looked at only now and then.
OverTimeLimit=0
MinJobAge=3600
MaxArraySize=1001
DefMemPerCPU=500
PropagateResourceLimits=NONE
RebootProgram=/bin/false
CONF
  : >"$DIR/gres.conf"
  for ((n = 1; n <= NODES; n++)); do
    echo "NodeName=n$n NodeHostname=$HOST NodeAddr=127.0.0.1 Port=$((PORT + n))" \
      "CPUs=2 RealMemory=8000 Gres=gpu:1 State=UNKNOWN" >>"$SLURM_CONF"
    # SLURM asks no more of a GPU than to be a device.
    [ -c "$DIR/run/gpu$n" ] || { rm -f "$DIR/run/gpu$n" && mknod "$DIR/run/gpu$n" c 1 3; }
    echo "NodeName=n$n Name=gpu File=$DIR/run/gpu$n" >>"$DIR/gres.conf"
  done
  echo "PartitionName=main Nodes=n[1-$NODES] Default=YES MaxTime=INFINITE State=UP" >>"$SLURM_CONF"
}

# sacct, without a database: by what slurmctld remembers of its jobs (MinJobAge).
write_sacct() {
  cat >"$DIR/bin/sacct" <<'SACCT'
#!/usr/bin/env python3
"""sacct -o FIELDS -j IDS, as far as submitit and lora_sweep ask for it."""
import re
import subprocess
import sys

arguments, ids, fields, head = sys.argv[1:], [], ["JobID", "State", "NodeList"], True
while arguments:
    name = arguments.pop(0)
    if name in ("-j", "--jobs"):
        ids += arguments.pop(0).split(",")
    elif name in ("-o", "--format"):
        fields = arguments.pop(0).split(",")
    elif name in ("-n", "--noheader"):
        head = False
told = subprocess.run(["scontrol", "-o", "show", "job"], capture_output=True, text=True, timeout=20)
if told.returncode:
    sys.exit(told.stderr)
if head:
    print("|".join(fields))
for line in told.stdout.splitlines():
    job = dict(re.findall(r"(\w+)=(\S*)", line))
    if "JobId" not in job:
        continue
    array, task = job.get("ArrayJobId", job["JobId"]), job.get("ArrayTaskId")
    name = array if task is None else f"{array}_{task if task.isdigit() else f'[{task}]'}"
    if ids and not {array, name, job["JobId"]} & set(ids):
        continue
    node = job.get("NodeList", "")
    row = {"JobID": name, "State": job["JobState"], "ExitCode": job.get("ExitCode", ""),
           "NodeList": "None assigned" if node in ("", "(null)") else node}
    print("|".join(row.get(field, "") for field in fields))
SACCT
  chmod 755 "$DIR/bin/sacct"
}

start_node() { alive "$DIR/run/slurmd.$1.pid" || slurmd -N "$1" -f "$SLURM_CONF" >&2; }

all_ready() {
  [ "$(sinfo -h -N -t idle,mix,alloc -o %N | sort -u | wc -l)" -ge "$NODES" ]
}

up() {
  for command in munged slurmctld slurmd sbatch; do
    command -v "$command" >/dev/null || { say "there is no $command: $0 install"; return 1; }
  done
  alive "$DIR/run/slurmctld.pid" || { write_conf && write_sacct; }
  alive "$DIR/run/munged.pid" || {
    rm -f "$DIR"/run/munge.sock*
    munged --force --num-threads=2 --key-file="$DIR/munge.key" --socket="$DIR/run/munge.sock" \
      --pid-file="$DIR/run/munged.pid" --log-file="$DIR/log/munged.log" \
      --seed-file="$DIR/run/munge.seed" >&2
  }
  wait_for 10 test -S "$DIR/run/munge.sock" || { say "munged did not start"; return 1; }
  alive "$DIR/run/slurmctld.pid" || slurmctld -c -f "$SLURM_CONF" >&2
  wait_for 20 timeout 5 scontrol ping || { say "slurmctld did not start"; return 1; }
  for ((n = 1; n <= NODES; n++)); do start_node "n$n"; done
  wait_for 30 all_ready || { say "not all nodes are ready"; sinfo -N -l >&2; return 1; }
  echo "export SLURM_CONF='$SLURM_CONF' PATH='$DIR/bin':\"\$PATH\""
}

end_process() { # file with its id
  [ -s "$1" ] || return 0
  local pid
  pid=$(cat "$1")
  kill "$pid" 2>/dev/null || { rm -f "$1"; return 0; }
  wait_for 10 bash -c "! kill -0 $pid 2>/dev/null" || kill -9 "$pid" 2>/dev/null || true
  rm -f "$1"
}

# End a node as a power failure does: slurmd, its steps and all that they have started.
kill_node() {
  local own=() more process
  for process in /proc/[0-9]*; do
    ls -l "$process/fd" 2>/dev/null | grep -q "$DIR/log/slurmd.$1.log" && own+=("${process#/proc/}")
  done
  more=("${own[@]}")
  while [ ${#more[@]} -gt 0 ]; do
    mapfile -t more < <(for process in "${more[@]}"; do pgrep -P "$process" || true; done)
    own+=("${more[@]}")
  done
  kill -9 "${own[@]}" 2>/dev/null || true
  rm -f "$DIR/run/slurmd.$1.pid"
}

down() {
  if alive "$DIR/run/slurmctld.pid"; then
    timeout 10 scancel --user=root >/dev/null 2>&1 || true
    wait_for 15 bash -c '[ -z "$(timeout 5 squeue -h)" ]' || say "jobs are left"
  fi
  for file in "$DIR"/run/slurmd.*.pid "$DIR/run/slurmctld.pid" "$DIR/run/munged.pid"; do
    end_process "$file"
  done
}

install_packages() {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
    slurmctld slurmd slurm-client munge >/dev/null
}

case "${1:-}" in
  up) up ;;
  down) down ;;
  status) sinfo -N -l ;;
  node) start_node "$2" ;;
  kill-node) kill_node "$2" ;;
  install) install_packages ;;
  *)
    say "usage: $0 up|down|status|install|kill-node NAME|node NAME"
    exit 2
    ;;
esac
