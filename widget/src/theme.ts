/** Whether a colour is so light that black is more readable on it than white (WCAG 2.2, relative luminance). */
export function isPale(color: string): boolean {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) return false;
  context.fillStyle = color;
  context.fillRect(0, 0, 1, 1);
  const [red = 0, green = 0, blue = 0] = [...context.getImageData(0, 0, 1, 1).data].map((byte) => {
    const value = byte / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  // Contrast with white and with black are equal at this luminance: (1.05 / (L + .05)) = ((L + .05) / .05).
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179;
}
