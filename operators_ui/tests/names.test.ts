import { expect, it } from "vitest";
import { byName } from "../src/lib/names";

it("puts Évreux before Vernon", () => {
  const list = [{ name: "Vernon" }, { name: "Les Andelys" }, { name: "Évreux" }];
  expect(byName(list).map((one) => one.name)).toEqual(["Évreux", "Les Andelys", "Vernon"]);
  expect(list[0]?.name).toBe("Vernon");
});
