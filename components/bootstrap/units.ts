// The systemd units of a worker.
import type { BootSettings } from './settings.js';

/** How long the boot may take, and after it the start-up script: a machine that hangs is no worker, and nobody else sees it. */
const longest = '30min';

/**
 * The boot, at every start of the machine until it has succeeded once, which the file says. What cloud-init does to package
 * sources comes before it; its last unit does not, because that one waits for all others.
 */
export function bootUnit(booted: string): string {
  return `[Unit]
Description=Boot of a worker
After=network-online.target cloud-config.service
Wants=network-online.target
ConditionPathExists=!${booted}
OnFailure=poolwright-ended.service
[Service]
Type=oneshot
TimeoutStartSec=${longest}
Environment=BOOTED=${booted}
ExecStart=/opt/poolwright/boot
[Install]
WantedBy=multi-user.target
`;
}

/** As root before the launcher, once per start of the machine: firewall, start-up script. */
export const prepareUnit = `[Unit]
Description=Preparation of a worker
After=network-online.target docker.service poolwright-boot.service
Wants=network-online.target
OnFailure=poolwright-ended.service
[Service]
Type=oneshot
TimeoutStartSec=${longest}
RemainAfterExit=yes
ExecStart=/opt/poolwright/prepare
`;

/** Docker's own unit may take for ever; it is part of each start of the machine. */
export const dockerBound = `[Service]
TimeoutStartSec=10min
`;

/** Something that a worker needs has ended for good, in order or not. Without its program the machine goes all the same. */
export function endedUnit({ powerOff, life }: Pick<BootSettings, 'powerOff' | 'life'>): string {
  const failure = powerOff && life?.replacedByHealth !== true ? 'FailureAction=poweroff\n' : '';
  return `[Unit]
Description=End of a worker
${failure}[Service]
Type=oneshot
TimeoutStartSec=5min
ExecStart=/opt/poolwright/ended
`;
}

/**
 * The launcher. Whoever may use the Docker engine may become root by it, so the sandbox is no wall against the launcher
 * itself: it takes away what neither the launcher nor its child processes ever need. Not taken away: memory that is
 * written and executed (the JavaScript engine), the folders of mounts, and the network.
 */
export function launcherUnit({
  runAs,
  stopSeconds,
  launcher,
}: Pick<BootSettings, 'runAs' | 'stopSeconds' | 'launcher'>): string {
  // Other launchers give no signs of life. The signal leaves no image of the memory, which has the private key in it.
  const watchdog =
    launcher.distribution === 'bundled' ? `WatchdogSec=5min\nWatchdogSignal=SIGKILL\nNotifyAccess=all\n` : '';
  const user =
    runAs === 'root' ? '' : 'User=1983\nGroup=1983\nSupplementaryGroups=docker\nCapabilityBoundingSet=\n';
  return `[Unit]
Description=Launcher of a worker
After=network-online.target docker.service poolwright-boot.service poolwright-prepare.service
Requires=docker.service poolwright-prepare.service
Wants=network-online.target
StartLimitIntervalSec=30min
StartLimitBurst=4
OnFailure=poolwright-ended.service
OnSuccess=poolwright-ended.service
[Service]
${user}${watchdog}ExecStart=/opt/poolwright/start
Environment=POOLWRIGHT_STATE_DIR=/var/lib/poolwright HOME=/var/lib/poolwright
RuntimeDirectory=poolwright
RuntimeDirectoryMode=0700
UMask=0022
KillMode=mixed
TimeoutStopSec=${String(stopSeconds)}
Restart=on-failure
RestartSec=1
RestartPreventExitStatus=2 3
OOMScoreAdjust=-500
LimitCORE=0
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=/var/lib/poolwright
ProtectClock=yes
ProtectHostname=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
LockPersonality=yes
SystemCallArchitectures=native
[Install]
WantedBy=multi-user.target
`;
}
