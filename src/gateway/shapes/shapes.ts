import { autoglmShape } from './autoglm.ts';
import { openaiShape } from './openai.ts';
import type { Shape, ShapeName } from './shape.ts';
import { vectorxShape } from './vectorx.ts';

export const SHAPES: Readonly<Record<ShapeName, Shape>> = {
  openai: openaiShape,
  vectorx: vectorxShape,
  autoglm: autoglmShape,
};

/** The shape that a path suggests, for requests that lead nowhere. */
export function suggestedShape(path: string): Shape {
  if (/\/upload-openai-file\/?$/.test(path)) return vectorxShape;
  return path.includes('/agentdr/') ? autoglmShape : openaiShape;
}
