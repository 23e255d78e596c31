/** What to paste into another page, in the way in which this one shows the avatar. */
export function snippet(kind: "live" | "clips", origin: string, avatarId: string): string {
  return kind === "live" ? live(origin, avatarId) : clips(origin, avatarId);
}

function live(origin: string, avatarId: string): string {
  return `<canvas id="avatar"></canvas>
<button id="talk">Talk</button>
<script type="module">
  import { AvatarSession, EdgeApi } from "${origin}/mouthpiece.js";
  const opened = await new EdgeApi("${origin}").openSession("${avatarId}");
  const element = document.getElementById("avatar");
  const session = new AvatarSession({ ...opened, element });
  document.getElementById("talk").onclick = async () => {
    await session.start();
    const { mediaDevices } = navigator;
    const stream = await mediaDevices.getUserMedia({ audio: true });
    await session.listenTo(stream.getAudioTracks()[0]);
  };
</script>`;
}

function clips(origin: string, avatarId: string): string {
  return `<canvas id="avatar" width="1280" height="720"></canvas>
<button id="talk">Talk</button>
<script type="module">
  import { AvatarPlayer } from "${origin}/mouthpiece.js";
  const canvas = document.getElementById("avatar");
  const player = new AvatarPlayer(canvas, { avatarId: "${avatarId}" });
  await player.idle();
  document.getElementById("talk").onclick = async () =>
    player.speak(await (await fetch("speech.wav")).blob());
</script>`;
}
