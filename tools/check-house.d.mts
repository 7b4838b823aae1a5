export declare const breaches: (path: string, text: string) => Array<string>
export declare const circles: (texts: ReadonlyMap<string, string>) => Array<Array<string>>
export declare const circlesOfRooms: (texts: ReadonlyMap<string, string>, folder: string) => Array<Array<string>>
export declare const rooms: (paths: ReadonlyArray<string>) => Array<string>
export declare const longFunctions: (path: string, text: string) => Array<string>
