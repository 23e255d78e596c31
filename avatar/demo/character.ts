import type { Rectangle } from "../rectangle.ts";
import { bodySvg, neckSvg } from "./character-body.ts";
import { browsSvg, eyesSvg } from "./character-eyes.ts";
import { earSvg, faceSvg, noseSvg } from "./character-face.ts";
import { frontHairSvg } from "./character-hair.ts";
import { backHairSvg } from "./character-hair-back.ts";
import { MOUTH, mouthSvg } from "./character-mouth.ts";
import { element, group, num, type Point } from "./character-svg.ts";
import { type Pose, poseAt } from "./motion.ts";

/** Pixels of the demo avatar's frames. */
export const DEMO_SIZE = { width: 1280, height: 720 } as const;

/** The side of the mouth rectangle in pixels: cheek to cheek. */
export const RECTANGLE_SIDE = 220;
/** From the mouth's centre up to the rectangle's top: half way up the nose. */
const RECTANGLE_ABOVE = 76;

/** What the head turns about. */
const PIVOT: Point = [640, 540];

/** One background frame. */
export interface DemoFrame {
  readonly svg: string;
  readonly rectangle: Rectangle;
}

/** Where the mouth is: centre in pixels and its turn in degrees, clockwise. */
export function mouthPose(index: number): { x: number; y: number; degrees: number } {
  const pose = poseAt(index);
  const angle = (pose.headDegrees * Math.PI) / 180;
  const dx = MOUTH.centre[0] + pose.turnX - PIVOT[0];
  const dy = MOUTH.centre[1] + pose.turnY - PIVOT[1];
  return {
    x: PIVOT[0] + pose.headX + dx * Math.cos(angle) - dy * Math.sin(angle),
    y: PIVOT[1] + pose.headY + dx * Math.sin(angle) + dy * Math.cos(angle),
    degrees: pose.headDegrees,
  };
}

/**
 * A background frame of the demo avatar: mouth closed, gently smiling.
 * @param backdrop address of the picture behind the character (a data URI); none leaves it out
 * @returns the drawing, 1280x720, and its mouth rectangle: square, whole pixels, within the frame
 */
export function demoFrame(index: number, backdrop?: string): DemoFrame {
  const mouth = mouthPose(index);
  const rectangle = {
    x: Math.round(mouth.x - RECTANGLE_SIDE / 2),
    y: Math.round(mouth.y - RECTANGLE_ABOVE),
    width: RECTANGLE_SIDE,
    height: RECTANGLE_SIDE,
  };
  return { svg: characterSvg(poseAt(index), backdrop), rectangle };
}

function characterSvg(pose: Pose, backdrop: string | undefined): string {
  const head = `translate(${num(pose.headX)} ${num(pose.headY)}) rotate(${num(pose.headDegrees)} ${PIVOT[0]} ${PIVOT[1]})`;
  const back = `translate(${num(pose.headX * 0.85)} ${num(pose.headY)}) rotate(${num(pose.headDegrees * 0.8)} ${PIVOT[0]} ${PIVOT[1]})`;
  const torso = `translate(${num(pose.bodyX)} -14)`;
  const neck = `translate(${num((pose.bodyX + pose.headX) / 2)} ${num(-14 - 2.6 * pose.breath)})`;
  const turn = (share: number): string =>
    `translate(${num(pose.turnX * share)} ${num(pose.turnY * share)})`;
  const image = backdrop
    ? element("image", { href: backdrop, ...DEMO_SIZE, "image-rendering": "optimizeSpeed" })
    : "";
  return element(
    "svg",
    { xmlns: "http://www.w3.org/2000/svg", ...DEMO_SIZE, viewBox: "0 0 1280 720" },
    [
      image,
      group({ transform: back }, backHairSvg(pose.hairSway)),
      group({ transform: neck }, neckSvg()),
      group({ transform: torso }, bodySvg(pose.breath)),
      group(
        { transform: head },
        group({ transform: turn(-0.4) }, earSvg()),
        faceSvg(),
        group({ transform: turn(0.9) }, browsSvg(pose), eyesSvg(pose)),
        group({ transform: turn(1) }, mouthSvg()),
        group({ transform: turn(1.3) }, noseSvg()),
        group({ transform: turn(0.3) }, frontHairSvg(pose.hairSway)),
      ),
    ].join(""),
  );
}
